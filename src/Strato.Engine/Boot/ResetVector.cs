using System;
using Strato.Engine.Memory;

namespace Strato.Engine.Boot;

/// <summary>What stands where a BIOS has its entry, F000:FFF0: code that resets the machine.</summary>
/// <remarks>
/// On hardware-reduced ACPI Linux reboots by EFI, and without EFI by a jump there in real mode (reboot_type in
/// arch/x86/kernel/reboot.c; machine_real_restart), as <c>reboot=bios</c> does anywhere. It never asks for the FADT's RESET_REG.
/// </remarks>
internal static class ResetVector
{
    private static ReadOnlySpan<byte> Code =>
    [
        0xB0, 0xFE,                       // mov al, 0xFE: pulse the reset line
        0xE6, (byte)Layout.I8042Command,  // out 0x64, al
        0xF4,                             // hlt
        0xEB, 0xFD,                       // jmp to the hlt
    ];

    /// <summary>Writes the code; a guest may have overwritten it before a reset.</summary>
    public static void Write(GuestMemory memory) => memory.TryWrite(Layout.ResetVector, Code);
}
