//! How a registry wants to be asked: the header `WWW-Authenticate`.

/// What a registry wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with every request.
    Basic,
    /// A token that somebody issues.
    Bearer {
        /// Who issues it, a URL.
        realm: String,
        /// For whom.
        service: Option<String>,
        /// What it shall be good for.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The first one in these headers that we can meet.
    pub(super) fn parse<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        headers.into_iter().flat_map(schemes).find_map(|scheme| {
            let value = |name: &str| {
                let found = scheme.parameters.iter().find(|(key, _)| key == name);
                found.map(|(_, value)| value.clone())
            };
            match scheme.name.as_str() {
                "basic" => Some(Self::Basic),
                "bearer" => Some(Self::Bearer {
                    realm: value("realm")?,
                    service: value("service"),
                    scope: value("scope"),
                }),
                _ => None,
            }
        })
    }
}

#[derive(Debug, Default)]
struct Scheme {
    name: String,
    parameters: Vec<(String, String)>,
}

/// The schemes of a header: a word, and what has an equals sign behind it. Several are separated by commas, as
/// parameters are.
fn schemes(header: &str) -> Vec<Scheme> {
    let mut found: Vec<Scheme> = vec![];
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        if word.is_empty() {
            return found;
        }
        let word = word.to_ascii_lowercase();
        let behind = behind.trim_start_matches([' ', '\t']);
        match behind.strip_prefix('=') {
            None => {
                found.push(Scheme {
                    name: word,
                    parameters: vec![],
                });
                rest = behind;
            }
            Some(behind) => {
                let (value, behind) = value(behind.trim_start_matches([' ', '\t']));
                if let Some(scheme) = found.last_mut() {
                    scheme.parameters.push((word, value));
                }
                rest = behind;
            }
        }
    }
}

/// A word or a quoted string, and what is behind it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        return (word.to_owned(), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, character)| character)),
            character => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        };
        for (header, meant) in [
            ("Basic realm=\"a b\"", Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            (
                "Bearer realm=\"https://a/token\",service=\"a\",scope=\"repository:x/y:pull,push\"",
                Some(bearer(
                    "https://a/token",
                    Some("a"),
                    Some("repository:x/y:pull,push"),
                )),
            ),
            (
                "bearer  Realm = \"q\\\"u\" , service=word",
                Some(bearer("q\"u", Some("word"), None)),
            ),
            (
                "Negotiate, Digest realm=\"x, Basic y\", Bearer realm=z",
                Some(bearer("z", None, None)),
            ),
            ("Bearer service=\"a\"", None),
            ("Negotiate", None),
            ("", None),
            ("=", None),
            ("Bearer realm=\"open", Some(bearer("open", None, None))),
        ] {
            assert_eq!(Challenge::parse([header]), meant, "{header}");
        }
        let several = ["Negotiate", "Basic realm=x"];
        assert_eq!(Challenge::parse(several), Some(Challenge::Basic));
    }
}
