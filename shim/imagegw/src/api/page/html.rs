//! The page's text. Whatever comes from anywhere else is [`Text`].

use std::fmt;

use super::STYLE;
use crate::gateway::Waiting;
use crate::state::{Moment, Status};

/// Between two looks of a browser that is left open, seconds.
const REFRESH: u32 = 5;

/// Text that is nothing but text wherever it stands in a page.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                letter if letter.is_control() => f.write_str("\u{fffd}")?,
                letter => fmt::Write::write_char(f, letter)?,
            }
        }
        Ok(())
    }
}

/// A pull, as it is shown.
#[derive(Debug)]
pub(super) struct Row {
    number: u64,
    /// None where it is somebody else's business.
    shown: Option<Known>,
    status: Status,
    asked: Moment,
}

#[derive(Debug)]
struct Known {
    image: String,
    user: String,
    done: Option<(u64, Option<u64>)>,
    message: Option<String>,
}

impl Row {
    /// `name` is of the user with a uid.
    pub(super) fn of(waiting: &Waiting, name: impl Fn(u32) -> String) -> Self {
        let pull = &waiting.pull;
        Self {
            number: pull.number,
            shown: waiting.is_shown.then(|| Known {
                image: format!("{}:{}", pull.name.kind.as_str(), pull.name.tag),
                user: name(pull.requester.uid),
                done: waiting.done,
                message: pull.message.clone(),
            }),
            status: pull.status,
            asked: pull.last_pull,
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, now: Moment) -> fmt::Result {
        write!(f, "<tr><td>{}</td>", self.number)?;
        match &self.shown {
            Some(known) => write!(f, "<td class=\"image\"><bdi>{}</bdi>", Text(&known.image))?,
            None => f.write_str("<td class=\"private\">private")?,
        }
        write!(f, "</td><td>{}", self.status.as_str())?;
        let known = self.shown.as_ref();
        if let Some(message) = known.and_then(|known| known.message.as_deref()) {
            write!(f, "<p class=\"message\"><bdi>{}</bdi></p>", Text(message))?;
        }
        write!(f, "</td><td>")?;
        if let Some(done) = known.and_then(|known| known.done) {
            progress(f, done)?;
        }
        let user = known.map_or("", |known| &known.user);
        let since = Moments {
            at: self.asked,
            now,
        };
        writeln!(f, "</td><td>{}</td><td>{since}</td></tr>", Text(user))
    }
}

fn progress(f: &mut fmt::Formatter<'_>, (done, total): (u64, Option<u64>)) -> fmt::Result {
    match total.filter(|total| *total > 0) {
        Some(total) => write!(
            f,
            "<progress value=\"{done}\" max=\"{total}\"></progress>{} of {}",
            Megabytes(done),
            Megabytes(total)
        ),
        None => write!(f, "{}", Megabytes(done)),
    }
}

struct Megabytes(u64);

impl fmt::Display for Megabytes {
    #[allow(clippy::cast_precision_loss, reason = "one digit of it is shown")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MB", self.0 as f64 / 1e6)
    }
}

/// Since when, and how long that is.
struct Moments {
    at: Moment,
    now: Moment,
}

impl fmt::Display for Moments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let age = self.now.saturating_sub(self.at) / 1000;
        let (number, unit) = match age {
            0..60 => (age, "s"),
            60..3600 => (age / 60, "min"),
            3600..86_400 => (age / 3600, "h"),
            _ => (age / 86_400, "d"),
        };
        write!(f, "{} ({number} {unit})", Utc(self.at))
    }
}

/// A moment as ISO 8601 has it.
struct Utc(Moment);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = i64::try_from(self.0).unwrap_or(i64::MAX);
        match chrono::DateTime::from_timestamp_millis(milliseconds) {
            Some(moment) => write!(f, "{}", moment.format("%Y-%m-%d %H:%M:%SZ")),
            None => Ok(()),
        }
    }
}

/// The page of a system's queue.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) system: &'a str,
    pub(super) user: &'a str,
    pub(super) now: Moment,
    pub(super) rows: Vec<Row>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let system = Text(self.system);
        head(f, &format!("Queue of {system}"), true)?;
        let failed = self.rows.iter().filter(|row| row.status == Status::Failure);
        let failed = failed.count();
        let going = self.rows.len() - failed;
        writeln!(
            f,
            "<h1>Queue of {system}</h1>\n<p>{going} to be made, {failed} failed a while ago. As {} sees it at {}.</p>",
            Text(self.user),
            Utc(self.now)
        )?;
        f.write_str("<table><thead><tr>")?;
        for name in ["Number", "Image", "State", "Progress", "Asked by", "Since"] {
            write!(f, "<th scope=\"col\">{name}</th>")?;
        }
        f.write_str("</tr></thead><tbody>\n")?;
        for row in &self.rows {
            row.write(f, self.now)?;
        }
        f.write_str("</tbody></table>\n</html>\n")
    }
}

/// The page of a request that isn't answered, for this reason.
pub(super) fn refusal(why: &str) -> String {
    struct Refusal<'a>(&'a str);
    impl fmt::Display for Refusal<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            head(f, "Image gateway", false)?;
            writeln!(
                f,
                "<h1>Image gateway</h1>\n<p>{}</p>\n<p>shifterimg queue --page tells a name and a password.</p>\n</html>",
                Text(self.0)
            )
        }
    }
    Refusal(why).to_string()
}

/// `title` is escaped already.
fn head(f: &mut fmt::Formatter<'_>, title: &str, refreshes: bool) -> fmt::Result {
    f.write_str("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n")?;
    if refreshes {
        writeln!(f, "<meta http-equiv=\"refresh\" content=\"{REFRESH}\">")?;
    }
    write!(
        f,
        "<meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(image: &str, message: Option<&str>) -> Row {
        Row {
            number: 7,
            shown: Some(Known {
                image: image.to_owned(),
                user: "ann<b>".to_owned(),
                done: Some((1_500_000, Some(3_000_000))),
                message: message.map(str::to_owned),
            }),
            status: Status::Pulling,
            asked: 1_000_000_000_000,
        }
    }

    fn page(rows: Vec<Row>) -> String {
        let shown = Shown {
            system: "cluster",
            user: "bob",
            now: 1_000_000_125_000,
            rows,
        };
        shown.to_string()
    }

    #[test]
    fn a_pull_is_shown_with_its_state_progress_user_and_time() {
        let page = page(vec![row("docker:x:1", None)]);
        for part in [
            "<bdi>docker:x:1</bdi>",
            "<td>PULLING</td>",
            "<progress value=\"1500000\" max=\"3000000\"></progress>1.5 MB of 3.0 MB",
            "2001-09-09 01:46:40Z (2 min)",
            "1 to be made, 0 failed",
            "As bob sees it",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }

    #[test]
    fn what_is_somebody_elses_business_is_not_shown() {
        let hidden = Row {
            shown: None,
            ..row("docker:secret:1", Some("secret"))
        };
        let page = page(vec![hidden]);
        assert!(
            page.contains(">private<") && page.contains("PULLING"),
            "{page}"
        );
        assert!(!page.contains("secret") && !page.contains("ann"), "{page}");
        assert!(!page.contains("<progress"), "{page}");
    }

    #[test]
    fn nothing_that_comes_from_elsewhere_is_markup() {
        let nasty = "</bdi><script src=\"x\">'&\u{1b}[2J\n";
        let page = page(vec![row(nasty, Some(nasty))]);
        let told = "&lt;/bdi&gt;&lt;script src=&quot;x&quot;&gt;&#39;&amp;\u{fffd}[2J\u{fffd}";
        assert_eq!(page.matches(told).count(), 2, "{page}");
        assert!(
            !page.contains("<script") && page.contains("ann&lt;b&gt;"),
            "{page}"
        );
        let refused = refusal(nasty);
        assert!(
            refused.contains(told) && !refused.contains("<script"),
            "{refused}"
        );
    }
}
