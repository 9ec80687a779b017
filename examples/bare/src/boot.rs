//! From the loader to `main`: 32-bit protected mode without paging, then 64-bit long mode.
//!
//! QEMU's `-kernel` finds the entry in a Xen note (PVH) and jumps there with flat segments and interrupts off. One
//! gigabyte is mapped as it lies, by pages of 2 MiB. BOOT-1: the processor has one core running, and everything
//! before the first `sti` runs alone.

use core::arch::global_asm;

global_asm!(
    r#"
    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 4, 18                  // "Xen", an address of 4 bytes, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long pvh_start

    .section .text.boot, "ax", @progbits
    .code32
    .globl pvh_start
pvh_start:
    cld
    mov esp, offset boot_stack_top
    mov eax, offset boot_tables + 0x1000
    or eax, 3                       // present, writable
    mov dword ptr [boot_tables], eax
    mov eax, offset boot_tables + 0x2000
    or eax, 3
    mov dword ptr [boot_tables + 0x1000], eax
    xor ecx, ecx
2:  mov eax, ecx
    shl eax, 21
    or eax, 0x83                    // present, writable, 2 MiB
    mov dword ptr [boot_tables + 0x2000 + ecx * 8], eax
    inc ecx
    cmp ecx, 512
    jne 2b
    mov eax, offset boot_tables
    mov cr3, eax
    mov eax, cr4
    or eax, 0x620                   // PAE, and SSE with its exceptions
    mov cr4, eax
    mov ecx, 0xC0000080             // EFER
    rdmsr
    or eax, 0x100                   // long mode
    wrmsr
    mov eax, cr0
    and eax, 0xFFFFFFFB             // a floating point unit is not emulated
    or eax, 0x80000003              // paging, monitored coprocessor, protection
    mov cr0, eax
    lgdt [gdt_pointer]
    push 8
    mov eax, offset long_start
    push eax
    retf
    .code64
long_start:
    mov eax, 16
    mov ds, eax
    mov es, eax
    mov ss, eax
    lea rsp, [rip + boot_stack_top]
    xor ebp, ebp
    call {main}
    ud2

    .section .data.gdt, "aw", @progbits
    .balign 8
    .globl gdt
gdt:
    .quad 0
    .quad 0x00AF9A000000FFFF        // 8: code, 64 bits
    .quad 0x00CF92000000FFFF        // 16: data
    .quad 0, 0                      // 24: the task state segment, written by `interrupt`
gdt_pointer:
    .short gdt_pointer - gdt - 1
    .quad gdt

    .section .bss.boot, "aw", @nobits
    .balign 4096
boot_tables:
    .skip 0x3000
boot_stack:
    .skip 0x10000
boot_stack_top:
"#,
    main = sym crate::main,
);

/// Ends QEMU through its `isa-debug-exit` device; the process's status is `code * 2 + 1`.
pub fn exit(code: u32) -> ! {
    // SAFETY: PORT-1: the device ends the machine, or is not there.
    unsafe { crate::port::write_u32(0xF4, code) };
    loop {
        // SAFETY: it stops the processor until an interrupt.
        unsafe { core::arch::asm!("cli", "hlt", options(nomem, nostack)) };
    }
}
