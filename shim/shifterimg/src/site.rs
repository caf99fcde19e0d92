//! The site's configuration, and what the user says besides.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use bundles::shifter::Config;
use bundles::shifter::config::USUAL_PATH;
use bundles::shifter::image::{Descriptor, ImageType};
use bundles::shifter::trusted::ROOT;

/// Options of every mode.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Users besides yourself for whom the image is, by name or number, with commas
    #[arg(short, long, value_name = "LIST", global = true)]
    pub user: Option<String>,
    /// Groups likewise
    #[arg(short, long, value_name = "LIST", global = true)]
    pub group: Option<String>,
    /// Tell on standard error what is asked of whom
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Shifter's configuration
    #[arg(long, value_name = "FILE", default_value = USUAL_PATH, global = true)]
    pub config: PathBuf,
    /// Certificates of authorities besides the system's that gateways are believed by, PEM
    #[arg(long, value_name = "FILE", global = true)]
    pub authority: Option<PathBuf>,
    /// Prove yourself with the token in this file [default: ~/.udiRoot/token if it is there, else by munge]
    #[arg(long, value_name = "FILE", global = true)]
    pub token_file: Option<PathBuf>,
    /// Where munged listens
    #[arg(long, value_name = "SOCKET", env = "MUNGE_SOCKET", default_value = munge::USUAL_SOCKET, global = true)]
    pub munge_socket: PathBuf,
}

/// What of the site's configuration matters here.
#[derive(Debug)]
pub struct Site {
    /// Addresses of gateways.
    pub gateways: Vec<String>,
    /// Seconds that a request may take; no limit where there are none.
    pub timeout: Option<u64>,
    /// This platform's name at the gateway.
    pub system: String,
    default_type: Option<String>,
}

impl Site {
    /// Reads the configuration: from a file that only root can have written, for it says whom to trust.
    pub fn read(options: &Options) -> Result<Self> {
        let config = Config::read(&options.config, &ROOT)?;
        let shown = options.config.display();
        if config.gateways.is_empty() {
            bail!("{shown}: imageGateway is missing: there is nobody to ask");
        }
        let system = config.system;
        Ok(Self {
            gateways: config.gateways,
            timeout: Some(u64::from(config.gateway_timeout)).filter(|seconds| *seconds > 0),
            system: system.with_context(|| {
                format!("{shown}: system is missing: the platform's name at the gateway")
            })?,
            default_type: config.default_image_type,
        })
    }

    /// The same without a limit of time, for what takes as long as it takes.
    pub fn patient(self) -> Self {
        Self {
            timeout: None,
            ..self
        }
    }

    /// An image as the gateway names it: `TYPE/TAG`.
    pub fn image(&self, text: &str) -> Result<Descriptor> {
        let default = self.default_type.as_deref().unwrap_or("docker");
        let image = Descriptor::parse(text, Some(default))?;
        match image.kind {
            ImageType::Docker | ImageType::Custom => Ok(image),
            ImageType::Id | ImageType::Local => bail!(
                "image {text:?}: the gateway has images of type docker and custom, and is asked for none of type {}",
                image.kind.as_str()
            ),
        }
    }
}

/// `docker:ubuntu:22.04`
pub fn shown(image: &Descriptor) -> String {
    format!("{}:{}", image.kind.as_str(), image.tag)
}

/// `docker/ubuntu:22.04`, for paths.
pub fn path(image: &Descriptor) -> String {
    let tag = &image.tag;
    let latest = match tag.contains([':', '@']) {
        true => "",
        false => ":latest",
    };
    format!("{}/{tag}{latest}", image.kind.as_str())
}
