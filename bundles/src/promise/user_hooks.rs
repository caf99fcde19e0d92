//! What runs in a container before its command, told to the runtime by an annotation.
//!
//! OCI hooks run with the runtime's privileges, so a bundle of the promise `shifter` has none. These run as the command
//! does: its identity, filter and root, and no variable.

use oci_spec::runtime::Spec;

/// The annotation with the scripts, in order: a list of absolute paths inside, in JSON.
pub const USER_HOOKS_ANNOTATION: &str = "org.opt-runtime.shifter.user-hooks";

/// The annotation isn't what it should be; such a bundle must not start.
#[derive(Debug, thiserror::Error)]
#[error("annotation {USER_HOOKS_ANNOTATION} must be a list of absolute paths in JSON")]
pub struct UserHooksError;

/// The scripts of `spec`.
///
/// # Errors
/// [`UserHooksError`].
pub fn user_hooks(spec: &Spec) -> Result<Vec<String>, UserHooksError> {
    let annotations = spec.annotations().as_ref();
    let Some(text) = annotations.and_then(|all| all.get(USER_HOOKS_ANNOTATION)) else {
        return Ok(vec![]);
    };
    let hooks: Vec<String> = serde_json::from_str(text).map_err(|_| UserHooksError)?;
    let is_right = |hook: &String| hook.starts_with('/') && !hook.contains('\0');
    match hooks.iter().all(is_right) {
        true => Ok(hooks),
        false => Err(UserHooksError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_a_list_of_absolute_paths() {
        let read = |text: &str| {
            let annotations = serde_json::json!({ USER_HOOKS_ANNOTATION: text });
            let spec = serde_json::json!({ "ociVersion": "1.2.1", "annotations": annotations });
            user_hooks(&serde_json::from_value(spec).unwrap()).ok()
        };
        assert_eq!(user_hooks(&Spec::default()).unwrap(), [""; 0]);
        assert_eq!(read(r#"["/a", "/b c"]"#).unwrap(), ["/a", "/b c"]);
        for wrong in [
            "",
            "/a",
            r#""/a""#,
            r#"["a"]"#,
            r#"["/a", 1]"#,
            r#"["/a\u0000"]"#,
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
