//! What a user calls an image: `[TYPE:]TAG`.

/// Where an image is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageType {
    /// A registry, by way of the gateway.
    Docker,
    /// A file that was imported.
    Custom,
    /// The store, by its identifier.
    Id,
    /// A directory of the host's.
    Local,
}

/// An image as a user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Where it is from.
    pub kind: ImageType,
    /// Its name there.
    pub tag: String,
}

/// Why a name is none of an image's. One line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum DescriptorError {
    #[error("image {text:?}: has no name")]
    NoTag { text: String },
    #[error("image {text:?}: a name of this type can't have {character:?} in it")]
    Character { text: String, character: char },
    #[error(
        "image {text:?}: has no type, and the site's configuration no defaultImageType; hint: docker:{text}"
    )]
    NoType { text: String },
    #[error(
        "image {text:?}: the configuration's defaultImageType {found:?} is none of docker, custom, id, local"
    )]
    DefaultType { text: String, found: String },
}

impl ImageType {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Custom => "custom",
            Self::Id => "id",
            Self::Local => "local",
        }
    }

    /// The type of this name, in just these letters.
    pub fn of(name: &str) -> Option<Self> {
        let all = [Self::Docker, Self::Custom, Self::Id, Self::Local];
        all.into_iter().find(|one| one.as_str() == name)
    }

    fn allows(self, character: char) -> bool {
        let has_paths = matches!(self, Self::Docker | Self::Local);
        character.is_ascii_alphanumeric()
            || "_:.+-@".contains(character)
            || has_paths && character == '/'
    }
}

impl Descriptor {
    /// Reads `[TYPE:]TAG`. What is before the first colon is the type if there is one of that name, and belongs to the
    /// tag otherwise; `default` is the type then.
    ///
    /// # Errors
    /// [`DescriptorError`]. Shifter deletes the characters that it doesn't like and looks for another image.
    pub fn parse(text: &str, default: Option<&str>) -> Result<Self, DescriptorError> {
        let typed = text.split_once(':');
        let typed = typed.and_then(|(kind, tag)| Some((ImageType::of(kind)?, tag)));
        let text = text.to_owned();
        let (kind, tag) = match (typed, default) {
            (Some(typed), _) => typed,
            (None, None) => return Err(DescriptorError::NoType { text }),
            (None, Some(default)) => match ImageType::of(default) {
                Some(kind) => (kind, text.as_str()),
                None => {
                    let found = default.to_owned();
                    return Err(DescriptorError::DefaultType { text, found });
                }
            },
        };
        if tag.is_empty() {
            return Err(DescriptorError::NoTag { text });
        }
        let tag = tag.to_owned();
        match tag.chars().find(|character| !kind.allows(*character)) {
            Some(character) => Err(DescriptorError::Character { text, character }),
            None => Ok(Self { kind, tag }),
        }
    }
}
