//! Which namespaces a spec asks for.

use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType, Spec};

/// Whether `spec` lists a namespace of this type, new or joined by path.
pub(super) fn is_listed(spec: &Spec, typ: LinuxNamespaceType) -> bool {
    listed(spec, typ).next().is_some()
}

/// Whether `spec` asks for a new namespace of this type.
pub(super) fn is_new(spec: &Spec, typ: LinuxNamespaceType) -> bool {
    listed(spec, typ).any(|namespace| namespace.path().is_none())
}

fn listed(spec: &Spec, typ: LinuxNamespaceType) -> impl Iterator<Item = &LinuxNamespace> {
    spec.linux()
        .as_ref()
        .and_then(|linux| linux.namespaces().as_ref())
        .into_iter()
        .flatten()
        .filter(move |namespace| namespace.typ() == typ)
}
