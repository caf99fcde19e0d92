//! Headers of tar archives with the checksums that they should have: a fuzzer doesn't find those, and without them no
//! reader looks at anything else.

const BLOCK: usize = 512;

/// Where a header's checksum is.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// Where it says how long its file is, in octal digits.
const SIZE: std::ops::Range<usize> = 124..136;

/// Gives each header its checksum, as far as the archive can be followed. Anything else stays as it is.
pub fn mend(archive: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = archive.get_mut(at..at + BLOCK) {
        if !is_header(header) {
            return;
        }
        header[CHECKSUM].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let Some(size) = size(header) else {
            return;
        };
        at = match at.checked_add(BLOCK + size.next_multiple_of(BLOCK)) {
            Some(next) if next < archive.len() => next,
            _ => return,
        };
    }
}

/// What a fuzzer made of one is still one: `ustar` is at its place, or is nearly.
fn is_header(block: &[u8]) -> bool {
    let alike = block[257..262].iter().zip(b"ustar");
    alike.filter(|(is, wanted)| is == wanted).count() >= 3
}

fn size(header: &[u8]) -> Option<usize> {
    let text = str::from_utf8(&header[SIZE]).ok()?;
    let digits = text.trim_matches(['\0', ' ']);
    let size = usize::from_str_radix(digits, 8).ok()?;
    (size < 1 << 30).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_was_changed_gets_its_checksum_and_so_do_those_after_it() {
        let good = include_bytes!("../seeds/layers/links");
        let mut changed = good.to_vec();
        mend(&mut changed);
        assert_eq!(sums(&changed), sums(good));
        changed[0] ^= 1;
        changed[CHECKSUM][0] ^= 1;
        let second = next_header(&changed);
        changed[second + CHECKSUM.start] ^= 1;
        mend(&mut changed);
        let wrong = sums(&changed)
            .iter()
            .zip(sums(good))
            .filter(|(a, b)| **a != *b)
            .count();
        assert_eq!(wrong, 1, "the first only, whose name is another");
    }

    fn next_header(archive: &[u8]) -> usize {
        BLOCK + size(archive).expect("a size").next_multiple_of(BLOCK)
    }

    /// The checksums of all headers.
    fn sums(archive: &[u8]) -> Vec<u32> {
        let blocks = archive.chunks_exact(BLOCK).filter(|block| is_header(block));
        let sum = |block: &[u8]| {
            let text = str::from_utf8(&block[CHECKSUM]).expect("digits");
            u32::from_str_radix(text.trim_matches(['\0', ' ']), 8).expect("a checksum")
        };
        blocks.map(sum).collect()
    }
}
