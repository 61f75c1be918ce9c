using System;
using System.Buffers.Binary;
using Strato.Engine.Memory;

namespace Strato.Engine.Boot;

/// <summary>Finds out what a kernel file is, and loads it or says what it is instead.</summary>
internal static class KernelImage
{
    /// <summary>What every format error ends with.</summary>
    public const string Allowed = "a 64-bit x86 bzImage (boot protocol 2.12 or later) or ELF vmlinux is needed";

    /// <summary>Bytes read to look at the headers: the bzImage's setup header ends below 0x290.</summary>
    private const int HeadLength = 4096;

    /// <summary>Loads a kernel. RAM is all zeros, as freshly mapped.</summary>
    /// <exception cref="Protocol.UserErrorException">KernelEmpty, KernelTruncated, KernelFormat, KernelTooLarge or KernelNotReadable.</exception>
    public static LoadedKernel Load(GuestMemory memory, ImageFile file)
    {
        Span<byte> buffer = stackalloc byte[HeadLength];
        int count = file.Read(0, buffer);
        ReadOnlySpan<byte> head = buffer[..count];
        if (head.IsEmpty)
        {
            file.Fail("Empty", $"is empty (0 bytes): {Allowed}");
        }

        // Distribution kernels are PE files too, for UEFI: so the bzImage's signature counts first.
        if (BzImage.Is(head))
        {
            return BzImage.Load(memory, file, head);
        }

        if (ElfKernel.Is(head))
        {
            return ElfKernel.Load(memory, file, head);
        }

        file.Fail("Format", $"is {Describe(head)}: {Allowed}");
        return null;
    }

    /// <summary>What a file that can't be booted is, by its first bytes.</summary>
    private static string Describe(ReadOnlySpan<byte> head)
    {
        if (head.Length < 8)
        {
            return $"only {head.Length} bytes long";
        }

        if (head.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B]))
        {
            return "a gzip file; unpack it first";
        }

        if (head.StartsWith((ReadOnlySpan<byte>)[0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0]))
        {
            return "an xz file; unpack it first";
        }

        if (head.StartsWith((ReadOnlySpan<byte>)[0x28, 0xB5, 0x2F, 0xFD]))
        {
            return "a zstd file; unpack it first";
        }

        if (head.StartsWith((ReadOnlySpan<byte>)[0x02, 0x21, 0x4C, 0x18]) || head.StartsWith((ReadOnlySpan<byte>)[0x04, 0x22, 0x4D, 0x18]))
        {
            return "an lz4 file; unpack it first";
        }

        if (head.StartsWith("BZh"u8))
        {
            return "a bzip2 file; unpack it first";
        }

        // Image header of arm64 and RISC-V Linux: magic at 0x38; either may be a PE file, too.
        if (head.Length >= 0x3C && head[0x38..].StartsWith("ARM\x64"u8))
        {
            return "an ARM64 kernel image";
        }

        if (head.Length >= 0x3C && head[0x38..].StartsWith("RSC\x05"u8))
        {
            return "a RISC-V kernel image";
        }

        if (head.StartsWith("MZ"u8))
        {
            return "a PE file (an EFI or Windows program) without a Linux setup header";
        }

        if (head.StartsWith((ReadOnlySpan<byte>)[0x27, 0x05, 0x19, 0x56]))
        {
            return "a U-Boot image";
        }

        if (head.StartsWith("070701"u8) || head.StartsWith("070702"u8))
        {
            return "a cpio archive (an initrd?)";
        }

        if (head.StartsWith("#!"u8))
        {
            return "a script";
        }

        return $"of an unknown kind (it begins with {BinaryPrimitives.ReadUInt64BigEndian(head):x16})";
    }
}
