using System;
using System.Buffers.Binary;
using System.IO;
using System.Text;

namespace Strato.Tests.Guest.Harness;

/// <summary>What a <see cref="Payload"/> does once its text is written.</summary>
internal enum PayloadEnd
{
    /// <summary>Powers off: SLEEP_CONTROL at port 0x601.</summary>
    PowerOff,

    /// <summary>Halts for ever.</summary>
    Halt,

    /// <summary>Sends back each byte from the serial port; powers off after a 'q'.</summary>
    Echo,

    /// <summary>Resets by RESET_REG, port 0x600.</summary>
    Reset,

    /// <summary>An invalid opcode without an IDT.</summary>
    TripleFault,

    /// <summary>int3 without an IDT, at which a KVM that emulates gives up.</summary>
    Unhandled,
}

/// <summary>A "kernel" of some bytes: an ELF file that writes a text to the serial port by polling. Even a KVM that emulates runs it.</summary>
internal static class Payload
{
    private const int HeaderLength = 64 + 56;
    private const ulong Address = 0x10_0000;

    /// <summary>Makes the file.</summary>
    /// <param name="end">What it does after its text.</param>
    /// <param name="text">What it writes.</param>
    /// <param name="cpus">Above 1: first it starts all other CPUs and waits until those with the APIC ids below this have run.</param>
    public static string Make(PayloadEnd end, string text = "hello\n", int cpus = 1)
    {
        byte[] start = cpus > 1 ? StartCpus(cpus) : [];
        byte[] print =
        [
            0x48, 0x8D, 0x35, 0, 0, 0, 0, // lea rsi, [rip + text]
            0x66, 0xBA, 0xF8, 0x03,       // mov dx, 0x3f8
            0xAC,                         // next: lodsb
            0x84, 0xC0,                   // test al, al
            0x74, 0x03,                   // jz done
            0xEE,                         // out dx, al
            0xEB, 0xF8,                   // jmp next
        ];
        byte[] powerOff = [0x66, 0xBA, 0x01, 0x06, 0xB0, 0x34, 0xEE]; // mov dx, 0x601; mov al, SLP_EN and S5; out dx, al
        byte[] halt = [0xF4, 0xEB, 0xFD];                             // hlt; jmp to it
        byte[] tail = end switch
        {
            PayloadEnd.PowerOff => [.. powerOff, .. halt],
            PayloadEnd.Reset => [0x66, 0xBA, 0x00, 0x06, 0xB0, 0x01, 0xEE, .. halt],
            PayloadEnd.TripleFault =>
            [
                0x6A, 0x00, 0x6A, 0x00, // push 0; push 0
                0x0F, 0x01, 0x1C, 0x24, // lidt [rsp]
                0x0F, 0x0B,             // ud2
            ],
            PayloadEnd.Unhandled => [0x6A, 0x00, 0x6A, 0x00, 0x0F, 0x01, 0x1C, 0x24, 0xCC],
            PayloadEnd.Echo =>
            [
                0x66, 0xBA, 0xFD, 0x03, // wait: mov dx, 0x3fd (line status)
                0xEC,                   // in al, dx
                0xA8, 0x01,             // test al, 1 (data ready)
                0x74, 0xF7,             // jz wait
                0x66, 0xBA, 0xF8, 0x03, // mov dx, 0x3f8
                0xEC,                   // in al, dx
                0xEE,                   // out dx, al
                0x3C, (byte)'q',        // cmp al, 'q'
                0x75, 0xED,             // jne wait
                .. powerOff, .. halt,
            ],
            _ => halt,
        };
        BinaryPrimitives.WriteInt32LittleEndian(print.AsSpan(3), print.Length + tail.Length - 7);
        byte[] body = [.. start, .. print, .. tail, .. Encoding.ASCII.GetBytes(text), 0];
        string path = TestHost.NewPath("payload");
        File.WriteAllBytes(path, [.. Header((ulong)body.Length), .. body]);
        return path;
    }

    /// <summary>Sends INIT and a start-up IPI to all others (Intel SDM 3, 11.6.1); each marks the byte of its APIC id.</summary>
    private static byte[] StartCpus(int cpus)
    {
        byte[] other =
        [
            0x66, 0xB8, 1, 0, 0, 0,       // mov eax, 1
            0x0F, 0xA2,                   // cpuid
            0x66, 0xC1, 0xEB, 24,         // shr ebx, 24 (the initial APIC id)
            0x31, 0xC0,                   // xor ax, ax
            0x8E, 0xD8,                   // mov ds, ax
            0xC6, 0x87, 0x00, 0x10, 1,    // mov byte [bx + 0x1000], 1
            0xF4, 0xEB, 0xFD,             // hlt; jmp to it
        ];
        byte[] all =
        [
            0xEB, (byte)other.Length,     // jmp over the other CPUs' code
            .. other,
            0x48, 0x8D, 0x35, (byte)(-7 - other.Length), 0xFF, 0xFF, 0xFF, // lea rsi, [rip - …], that code
            0xBF, 0x00, 0x20, 0, 0,       // mov edi, 0x2000
            0xB9, (byte)other.Length, 0, 0, 0,
            0xF3, 0xA4,                   // rep movsb
            0xBF, 0x00, 0x03, 0xE0, 0xFE, // mov edi, 0xfee00300 (the interrupt command register)
            0xB8, 0x00, 0x45, 0x0C, 0,    // mov eax, 0xc4500: INIT to all but this
            0x89, 0x07,                   // mov [rdi], eax
            0xB8, 0x02, 0x46, 0x0C, 0,    // mov eax, 0xc4602: start-up at 0x2000
            0x89, 0x07,
            0xBB, 1, 0, 0, 0,             // mov ebx, 1
            0x80, 0xBB, 0, 0x10, 0, 0, 0, // next: cmp byte [rbx + 0x1000], 0
            0x74, 0xF7,                   // je next
            0xFF, 0xC3,                   // inc ebx
            0x81, 0xFB, 0, 0, 0, 0,       // cmp ebx, cpus
            0x72, 0xED,                   // jb next
        ];
        BinaryPrimitives.WriteInt32LittleEndian(all.AsSpan(all.Length - 6), cpus);
        return all;
    }

    private static byte[] Header(ulong bodyLength)
    {
        byte[] header = new byte[HeaderLength];
        "\u007fELF"u8.CopyTo(header);
        header[4] = 2; // 64-bit
        header[5] = 1; // little-endian
        header[6] = 1;
        Write16(16, 2);  // e_type: executable
        Write16(18, 62); // e_machine: x86-64
        Write16(20, 1);
        Write64(24, Address);
        Write64(32, 64); // program headers follow
        Write16(52, 64);
        Write16(54, 56);
        Write16(56, 1);
        Write16(64, 1); // PT_LOAD
        Write16(68, 7);
        Write64(72, HeaderLength);
        Write64(80, Address);
        Write64(88, Address);
        Write64(96, bodyLength);
        Write64(104, bodyLength);
        Write64(112, 1);
        return header;

        void Write16(int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(at), value);
        void Write64(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(at), value);
    }
}
