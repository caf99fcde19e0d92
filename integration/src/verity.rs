//! What fs-verity calls a file, computed by nobody of ours.

use std::path::Path;

use crate::Tool;

/// Documentation/filesystems/fsverity.rst of the kernel: SHA-256, blocks of 4096 bytes, no salt.
const DIGEST: &str = r#"
import hashlib, sys
sha = lambda block: hashlib.sha256(block).digest()
level = open(sys.argv[1], 'rb').read()
length, root = len(level), bytes(32)
while level:
    hashes = [sha(level[at:at + 4096].ljust(4096, b'\0')) for at in range(0, len(level), 4096)]
    root, level = hashes[0], b''.join(hashes) if len(hashes) > 1 else b''
head = bytes([1, 1, 12, 0]) + bytes(4) + length.to_bytes(8, 'little') + root
print('sha256:' + sha(head.ljust(256, b'\0')).hex())
"#;

/// The digest of `file`, `sha256:…`.
#[track_caller]
pub fn verity_digest(file: impl AsRef<Path>) -> String {
    let python = Tool::new("python3").args(["-c", DIGEST]);
    let told = python.arg(file.as_ref()).expect(0).stdout;
    told.trim().to_owned()
}
