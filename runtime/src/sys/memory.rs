//! memcpy(3) and memmove(3) of a program that is linked with musl on x86_64, as those of a release are (`hack/build-static`).
//!
//! musl's are made to be small: a few bytes are copied by the processor's string instructions, which take some eighty cycles
//! before the first byte. A short command copies some four thousand times, nearly always fewer than 128 bytes, and spent a
//! thirtieth of its time there. Both have to be here: musl's memmove uses a name that only its memcpy has.

use std::arch::naked_asm;
use std::ffi::c_void;

/// Copies, and gives `to`. The two may overlap.
///
/// Up to 128 bytes are loaded into registers, all of them, then stored, which is right however they overlap. More than that is
/// copied 64 bytes at a time, from the end that isn't written to first. In assembly, since a compiler that sees a loop which
/// copies calls memcpy.
///
/// # Safety
/// As copy_nonoverlapping or copy of [`std::ptr`], for bytes.
#[unsafe(naked)]
#[cfg_attr(target_env = "musl", unsafe(no_mangle))]
unsafe extern "C" fn memcpy(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void {
    naked_asm!(
        r#"
            mov rax, rdi
            cmp rdx, 16
            jae 4f
            cmp edx, 8
            jae 3f
            cmp edx, 4
            jae 2f
            test edx, edx
            jz 1f
        # 1 to 3: the first, the middle and the last, of which two or three may be the same.
            movzx ecx, byte ptr [rsi]
            movzx r8d, byte ptr [rsi + rdx - 1]
            mov r9, rdx
            shr r9, 1
            movzx r10d, byte ptr [rsi + r9]
            mov byte ptr [rdi], cl
            mov byte ptr [rdi + r9], r10b
            mov byte ptr [rdi + rdx - 1], r8b
        1:
            ret
        # 4 to 7: the first four and the last four.
        2:
            mov ecx, dword ptr [rsi]
            mov r8d, dword ptr [rsi + rdx - 4]
            mov dword ptr [rdi], ecx
            mov dword ptr [rdi + rdx - 4], r8d
            ret
        # 8 to 15.
        3:
            mov rcx, qword ptr [rsi]
            mov r8, qword ptr [rsi + rdx - 8]
            mov qword ptr [rdi], rcx
            mov qword ptr [rdi + rdx - 8], r8
            ret
        # 16 to 32.
        4:
            movups xmm0, xmmword ptr [rsi]
            movups xmm1, xmmword ptr [rsi + rdx - 16]
            cmp rdx, 32
            ja 5f
            movups xmmword ptr [rdi], xmm0
            movups xmmword ptr [rdi + rdx - 16], xmm1
            ret
        # 33 to 64.
        5:
            movups xmm2, xmmword ptr [rsi + 16]
            movups xmm3, xmmword ptr [rsi + rdx - 32]
            cmp rdx, 64
            ja 6f
            movups xmmword ptr [rdi], xmm0
            movups xmmword ptr [rdi + 16], xmm2
            movups xmmword ptr [rdi + rdx - 32], xmm3
            movups xmmword ptr [rdi + rdx - 16], xmm1
            ret
        # 65 to 128.
        6:
            movups xmm4, xmmword ptr [rsi + 32]
            movups xmm5, xmmword ptr [rsi + 48]
            movups xmm6, xmmword ptr [rsi + rdx - 64]
            movups xmm7, xmmword ptr [rsi + rdx - 48]
            cmp rdx, 128
            ja 7f
            movups xmmword ptr [rdi], xmm0
            movups xmmword ptr [rdi + 16], xmm2
            movups xmmword ptr [rdi + 32], xmm4
            movups xmmword ptr [rdi + 48], xmm5
            movups xmmword ptr [rdi + rdx - 64], xmm6
            movups xmmword ptr [rdi + rdx - 48], xmm7
            movups xmmword ptr [rdi + rdx - 32], xmm3
            movups xmmword ptr [rdi + rdx - 16], xmm1
            ret
        # More. Upwards, unless the destination begins within the source.
        7:
            mov rcx, rdi
            sub rcx, rsi
            cmp rcx, rdx
            jb 9f
        # The last 64 bytes are in registers, and stored last.
            lea r9, [rdi + rdx - 64]
        8:
            movups xmm0, xmmword ptr [rsi]
            movups xmm2, xmmword ptr [rsi + 16]
            movups xmm4, xmmword ptr [rsi + 32]
            movups xmm5, xmmword ptr [rsi + 48]
            movups xmmword ptr [rdi], xmm0
            movups xmmword ptr [rdi + 16], xmm2
            movups xmmword ptr [rdi + 32], xmm4
            movups xmmword ptr [rdi + 48], xmm5
            add rsi, 64
            add rdi, 64
            cmp rdi, r9
            jb 8b
            movups xmmword ptr [r9], xmm6
            movups xmmword ptr [r9 + 16], xmm7
            movups xmmword ptr [r9 + 32], xmm3
            movups xmmword ptr [r9 + 48], xmm1
            ret
        # Downwards; the first 64 bytes are in registers, and stored last.
        9:
            test rcx, rcx
            jz 1b
            lea rsi, [rsi + rdx]
            lea r9, [rdi + rdx]
            lea r10, [rdi + 64]
        10:
            movups xmm1, xmmword ptr [rsi - 16]
            movups xmm3, xmmword ptr [rsi - 32]
            movups xmm6, xmmword ptr [rsi - 48]
            movups xmm7, xmmword ptr [rsi - 64]
            movups xmmword ptr [r9 - 16], xmm1
            movups xmmword ptr [r9 - 32], xmm3
            movups xmmword ptr [r9 - 48], xmm6
            movups xmmword ptr [r9 - 64], xmm7
            sub rsi, 64
            sub r9, 64
            cmp r9, r10
            ja 10b
            movups xmmword ptr [rdi], xmm0
            movups xmmword ptr [rdi + 16], xmm2
            movups xmmword ptr [rdi + 32], xmm4
            movups xmmword ptr [rdi + 48], xmm5
            ret
        "#
    )
}

/// The same.
///
/// # Safety
/// As [`memcpy`].
#[unsafe(naked)]
#[cfg_attr(target_env = "musl", unsafe(no_mangle))]
unsafe extern "C" fn memmove(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void {
    naked_asm!("jmp {}", sym memcpy)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: usize = 1200;

    type Copy = unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> *mut c_void;

    /// What `room` is when `size` bytes were copied in it from one place to another; whether that one was given.
    fn copied(by: Copy, room: &[u8], from: usize, to: usize, size: usize) -> (Vec<u8>, bool) {
        let mut room = room.to_vec();
        let [from, to] = [from, to].map(|at| room[at..at + size].as_mut_ptr().cast());
        // SAFETY: both places are in the room, with all their bytes.
        let given = unsafe { by(to, from, size) };
        (room, given == to)
    }

    /// Places near 260 and further away, in which 512 bytes have room.
    fn places() -> Vec<usize> {
        let near = (240..280).chain((110..410).step_by(7));
        near.chain([0, 600]).collect()
    }

    #[test]
    fn every_size_is_copied_whole_and_nothing_beside_it_however_far_apart() {
        let room: Vec<u8> = (0..ROOM).map(|at| (at * 7 + at / 256) as u8).collect();
        for (by, from) in [(memcpy as Copy, 256), (memcpy, 263), (memmove, 257)] {
            for size in (0..=330).chain([400, 511, 512]) {
                for to in places() {
                    let mut wanted = room.clone();
                    wanted.copy_within(from..from + size, to);
                    let (found, is_given) = copied(by, &room, from, to, size);
                    assert!(is_given, "{size} bytes from {from} to {to}");
                    assert!(found == wanted, "{size} bytes from {from} to {to}");
                }
            }
        }
    }
}
