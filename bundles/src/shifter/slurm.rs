//! What Slurm says of a job in variables, as text for `/var/hostsfile`.

/// More nodes than any cluster has.
const MOST: usize = 1 << 17;

/// The longest name of a host (RFC 1035).
const LONGEST_NAME: usize = 255;

/// A list of Slurm's that can't be read. One line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{list:?} is no {what} as Slurm writes it")]
pub struct ListError {
    /// The list.
    pub list: String,
    /// What it should be.
    pub what: &'static str,
}

/// `HOST/TASKS …`, as setupRoot's `-N` has it, from a job's nodes (`n[1-3],m`) and the tasks of each (`2(x3),1`).
///
/// # Errors
/// [`ListError`]: a list that Slurm wouldn't write, or not as many counts as nodes.
pub fn hosts(nodes: &str, tasks: &str) -> Result<String, ListError> {
    let named = nodes_of(nodes)?;
    let counts = tasks_of(tasks)?;
    if named.len() != counts.len() {
        return Err(ListError {
            list: tasks.to_owned(),
            what: "list of as many counts of tasks as there are nodes",
        });
    }
    let words = std::iter::zip(named, counts);
    let words: Vec<String> = words
        .map(|(node, count)| format!("{node}/{count}"))
        .collect();
    Ok(words.join(" "))
}

/// The nodes of a list such as `n[1-2,07-09],login`.
///
/// # Errors
/// [`ListError`]
pub fn nodes_of(list: &str) -> Result<Vec<String>, ListError> {
    let refused = || ListError {
        list: list.to_owned(),
        what: "list of nodes",
    };
    let mut nodes = vec![];
    for word in words(list) {
        expand(word, String::new(), &mut nodes).ok_or_else(refused)?;
    }
    if nodes.is_empty() {
        return Err(refused());
    }
    Ok(nodes)
}

/// The counts of a list such as `2(x3),1`.
fn tasks_of(list: &str) -> Result<Vec<u32>, ListError> {
    let read = |word: &str| -> Option<(u32, usize)> {
        match word.split_once('(') {
            None => Some((word.parse().ok()?, 1)),
            Some((count, times)) => {
                let times = times.strip_prefix('x')?.strip_suffix(')')?;
                Some((count.parse().ok()?, times.parse().ok()?))
            }
        }
    };
    let mut counts = vec![];
    for word in list.split(',') {
        let (count, times) = read(word)
            .filter(|(_, times)| *times <= MOST && counts.len() + times <= MOST)
            .ok_or_else(|| ListError {
                list: list.to_owned(),
                what: "list of counts of tasks",
            })?;
        counts.extend(std::iter::repeat_n(count, times));
    }
    Ok(counts)
}

/// How many tasks a step has on the node with this number in it, from a list such as `2(x3),1`; where no number is known, on
/// the node that has most.
///
/// # Errors
/// [`ListError`]: a list that Slurm wouldn't write, or of fewer nodes.
pub fn tasks_on(tasks: &str, node: Option<usize>) -> Result<u32, ListError> {
    let counts = tasks_of(tasks)?;
    let found = match node {
        Some(node) => counts.get(node).copied(),
        None => counts.into_iter().max(),
    };
    found.ok_or_else(|| ListError {
        list: tasks.to_owned(),
        what: "list of as many counts of tasks as there are nodes",
    })
}

/// The parts between commas, those within brackets aside.
fn words(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    list.split(move |c| {
        depth += match c {
            '[' => 1,
            ']' => -1,
            _ => 0,
        };
        c == ',' && depth == 0
    })
}

/// Adds what `word` stands for, each behind `before`. None for what Slurm wouldn't write.
fn expand(word: &str, before: String, nodes: &mut Vec<String>) -> Option<()> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let Some((plain, rest)) = word.split_once('[') else {
        let name = before + word;
        let is_name =
            !name.is_empty() && name.chars().all(is_of_name) && name.len() <= LONGEST_NAME;
        nodes.push(name);
        return (is_name && nodes.len() <= MOST).then_some(());
    };
    let (ranges, after) = rest.split_once(']')?;
    for range in ranges.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let width = first.len();
        // One bracket more makes every name longer: so there are no more of them than this, either.
        if before.len() + plain.len() + width > LONGEST_NAME {
            return None;
        }
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        if !is_number(first) || !is_number(last) {
            return None;
        }
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if last < first || last - first >= MOST {
            return None;
        }
        for number in first..=last {
            expand(after, format!("{before}{plain}{number:0width$}"), nodes)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{Wrong, vectors};

    #[test]
    fn no_list_takes_all_the_memory_or_the_stack() {
        let wide = format!("n[{}1-131000]", "0".repeat(1 << 20));
        let long = format!("n[1-131000]{}", "x".repeat(1 << 20));
        let deep = format!("n{}", "[1]".repeat(1 << 18));
        for nodes in [&wide, &long, &deep] {
            assert!(nodes_of(nodes).is_err());
        }
        // What overflows is no number of tasks that anybody has, and not none either.
        for tasks in [
            "1,1(x18446744073709551615)",
            "1(x18446744073709551615)",
            "1(x131073)",
        ] {
            assert!(tasks_of(tasks).is_err(), "{tasks}");
        }
        assert_eq!(nodes_of("n[001-131000]").unwrap().len(), 131_000);
    }

    #[test]
    fn a_node_has_the_tasks_of_its_place_in_the_list() {
        for (node, wanted) in [(0, 2), (1, 2), (2, 1)] {
            assert_eq!(tasks_on("2(x2),1", Some(node)), Ok(wanted));
        }
        assert_eq!(tasks_on("1,3(x2)", None), Ok(3));
        for (list, node) in [("2(x2),1", 3), ("", 0), ("x", 0)] {
            assert!(tasks_on(list, Some(node)).is_err(), "{list} {node}");
        }
    }

    #[test]
    fn a_jobs_hosts_are_those_of_slurms_lists() {
        let mut wrong = Wrong::default();
        for vector in vectors("shifter/slurm.tsv") {
            let found = hosts(&vector[0], &vector[1]);
            let found = found.unwrap_or_else(|error| format!("refused: {}", error.what));
            wrong.unless(&vector, &found, &vector[2]);
        }
        wrong.none();
    }
}
