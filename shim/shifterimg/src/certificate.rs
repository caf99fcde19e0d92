//! What is wrong with a gateway's certificate, as whoever can put it right would say it.

use rustls::CertificateError;

/// Why a gateway wasn't believed, and what helps; none where it failed for another reason.
pub(crate) fn why_not(error: &ureq::Error) -> Option<&'static str> {
    let found = match error {
        ureq::Error::Rustls(error) => error,
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref()?,
        _ => return None,
    };
    let rustls::Error::InvalidCertificate(reason) = found else {
        return None;
    };
    Some(match reason {
        // The second: by one of the same name, with another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is by an authority that isn't known here; hint: its authority's certificate belongs into \
             gateway.pem beside udiRoot.conf, or --authority names it"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another host; hint: imageGateway of udiRoot.conf has to name the gateway as its \
             certificate does"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired; hint: the gateway's administrator can renew it, if this host's clock is right"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate isn't valid yet; hint: is this host's clock right?"
        }
        _ => "its certificate isn't a good one",
    })
}
