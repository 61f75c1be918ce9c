using System;
using System.Buffers.Binary;

namespace Strato.Engine.Boot;

/// <summary>Encodes ACPI machine language (ACPI 6.5, chapter 20): just the terms that the DSDT needs.</summary>
/// <remarks>
/// A term with a package length (Scope, Device, Method, Package, Buffer, Field, If) is begun with a Begin method, which
/// gives a mark, and ended by <see cref="End"/>: the length comes before the contents and takes one to four bytes
/// itself, so the contents are moved up when they are complete.
/// </remarks>
internal sealed class Aml
{
    // 20.3: opcodes.
    private const byte ZeroOp = 0x00;
    private const byte OneOp = 0x01;
    private const byte NameOp = 0x08;
    private const byte BytePrefix = 0x0A;
    private const byte WordPrefix = 0x0B;
    private const byte DWordPrefix = 0x0C;
    private const byte StringPrefix = 0x0D;
    private const byte QWordPrefix = 0x0E;
    private const byte ScopeOp = 0x10;
    private const byte BufferOp = 0x11;
    private const byte PackageOp = 0x12;
    private const byte MethodOp = 0x14;
    private const byte DualNamePrefix = 0x2E;
    private const byte MultiNamePrefix = 0x2F;
    private const byte ExtOpPrefix = 0x5B;
    private const byte Local0Op = 0x60;
    private const byte Arg0Op = 0x68;
    private const byte StoreOp = 0x70;
    private const byte ShiftLeftOp = 0x79;
    private const byte ShiftRightOp = 0x7A;
    private const byte AndOp = 0x7B;
    private const byte OrOp = 0x7D;
    private const byte NotifyOp = 0x86;
    private const byte EqualOp = 0x93;
    private const byte IfOp = 0xA0;
    private const byte WhileOp = 0xA2;
    private const byte ReturnOp = 0xA4;
    private const byte ExtOpRegionOp = 0x80;
    private const byte ExtFieldOp = 0x81;
    private const byte ExtDeviceOp = 0x82;

    private const byte SystemIo = 1;

    private byte[] _bytes = new byte[1024];
    private int _length;

    /// <summary>What was encoded so far.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _length);

    public int BeginScope(string path)
    {
        U8(ScopeOp);
        int mark = _length;
        Path(path);
        return mark;
    }

    public int BeginDevice(string name)
    {
        U8(ExtOpPrefix);
        U8(ExtDeviceOp);
        int mark = _length;
        Path(name);
        return mark;
    }

    /// <param name="name">Of four characters.</param>
    /// <param name="arguments">0 to 7.</param>
    /// <param name="serialized">One caller at a time: a must for methods that make named objects or take events.</param>
    public int BeginMethod(string name, int arguments, bool serialized)
    {
        U8(MethodOp);
        int mark = _length;
        Path(name);
        U8((byte)(arguments | (serialized ? 8 : 0)));
        return mark;
    }

    /// <summary>A package of <paramref name="count"/> elements, which follow.</summary>
    public int BeginPackage(byte count)
    {
        U8(PackageOp);
        int mark = _length;
        U8(count);
        return mark;
    }

    /// <summary>What follows runs if Local0 has one of the bits.</summary>
    public int BeginIfLocal0Has(uint bits)
    {
        int mark = BeginIf();
        And();
        Local0();
        Integer(bits);
        NoTarget();
        return mark;
    }

    /// <summary>If: the condition must follow, then what runs.</summary>
    public int BeginIf()
    {
        U8(IfOp);
        return _length;
    }

    /// <summary>While: the condition must follow, then what runs.</summary>
    public int BeginWhile()
    {
        U8(WhileOp);
        return _length;
    }

    /// <summary>Ends what a Begin method began.</summary>
    public void End(int mark)
    {
        // 20.2.4: the length counts its own bytes.
        int contents = _length - mark;
        int bytes = contents + 1 <= 0x3F ? 1 : contents + 2 <= 0xFFF ? 2 : contents + 3 <= 0xF_FFFF ? 3 : 4;
        Room(bytes);
        _bytes.AsSpan(mark, contents).CopyTo(_bytes.AsSpan(mark + bytes));
        PackageLength(_bytes.AsSpan(mark, bytes), contents + bytes);
        _length += bytes;
    }

    /// <summary>Name (path, …): the value must follow.</summary>
    public void Name(string path)
    {
        U8(NameOp);
        Path(path);
    }

    public void Name(string path, ulong value)
    {
        Name(path);
        Integer(value);
    }

    public void Name(string path, string value)
    {
        Name(path);
        String(value);
    }

    /// <summary>Name (path, Buffer () { … }).</summary>
    public void Name(string path, ReadOnlySpan<byte> buffer)
    {
        Name(path);
        U8(BufferOp);
        int mark = _length;
        Integer((uint)buffer.Length);
        Append(buffer);
        End(mark);
    }

    /// <summary>Name (path, ResourceTemplate () { … }), of descriptors made with the static methods of <see cref="Resources"/>.</summary>
    public void Name(string path, in Resources resources)
    {
        Name(path);
        U8(BufferOp);
        int mark = _length;
        Integer((uint)resources.Length + 2);
        Append(resources.Bytes);
        // 6.4.2.9: end tag; a checksum of zero means that there is none.
        U8(0x79);
        U8(0);
        End(mark);
    }

    /// <summary>The shortest encoding of an integer (20.2.3).</summary>
    public void Integer(ulong value)
    {
        switch (value)
        {
            case 0:
                U8(ZeroOp);
                break;
            case 1:
                U8(OneOp);
                break;
            case <= byte.MaxValue:
                U8(BytePrefix);
                LittleEndian(value, 1);
                break;
            case <= ushort.MaxValue:
                U8(WordPrefix);
                LittleEndian(value, 2);
                break;
            case <= uint.MaxValue:
                U8(DWordPrefix);
                LittleEndian(value, 4);
                break;
            default:
                U8(QWordPrefix);
                LittleEndian(value, 8);
                break;
        }
    }

    public void String(string value)
    {
        U8(StringPrefix);
        Ascii(value);
        U8(0);
    }

    /// <summary>OperationRegion (name, SystemIO, port, length) and Field (name, DWordAcc, NoLock, Preserve) { field, 32 }.</summary>
    public void IoRegister32(string region, ushort port, string field)
    {
        U8(ExtOpPrefix);
        U8(ExtOpRegionOp);
        Path(region);
        U8(SystemIo);
        Integer(port);
        Integer(4);

        U8(ExtOpPrefix);
        U8(ExtFieldOp);
        int mark = _length;
        Path(region);
        U8(3); // DWordAcc, NoLock, Preserve
        Ascii(field);
        U8(32); // PkgLength of the field in bits
        End(mark);
    }

    /// <summary>Store (name, Local0).</summary>
    public void StoreToLocal0(string name)
    {
        Store();
        Path(name);
        Local0();
    }

    /// <summary>Notify (path, value).</summary>
    public void Notify(string path, byte value)
    {
        Notify(path);
        Integer(value);
    }

    /// <summary>Notify (path, …): the value must follow.</summary>
    public void Notify(string path)
    {
        U8(NotifyOp);
        Path(path);
    }

    /// <summary>Store: what is stored must follow, then where.</summary>
    public void Store() => U8(StoreOp);

    /// <summary>Return: the value must follow.</summary>
    public void Return() => U8(ReturnOp);

    /// <summary>LEqual: two operands must follow.</summary>
    public void Equal() => U8(EqualOp);

    /// <summary>And: two operands must follow, then a target; so for the others of its kind.</summary>
    public void And() => U8(AndOp);

    public void Or() => U8(OrOp);

    public void ShiftLeft() => U8(ShiftLeftOp);

    public void ShiftRight() => U8(ShiftRightOp);

    /// <summary>A result that is stored nowhere but used where it stands.</summary>
    public void NoTarget() => U8(ZeroOp);

    /// <summary>What the method was called with, 0 to 6.</summary>
    public void Argument(int index) => U8((byte)(Arg0Op + index));

    public void Local0() => U8(Local0Op);

    /// <summary>A field, or a call of a method, whose arguments must follow.</summary>
    public void Reference(string path) => Path(path);

    /// <summary>The 32-bit form of an EISA id such as PNP0501 (6.1.5): three letters of 5 bits, four hexadecimal digits, big-endian.</summary>
    public static uint EisaId(string id)
    {
        uint letters = ((uint)(id[0] - '@') << 10) | ((uint)(id[1] - '@') << 5) | (uint)(id[2] - '@');
        uint product = Convert.ToUInt32(id[3..], 16);
        return BinaryPrimitives.ReverseEndianness((letters << 16) | product);
    }

    /// <summary>Encodes a path (20.2.2): an optional root, then segments of four characters, separated by dots.</summary>
    private void Path(string path)
    {
        ReadOnlySpan<char> rest = path;
        if (rest[0] == '\\')
        {
            U8((byte)'\\');
            rest = rest[1..];
        }

        int segments = (rest.Length + 1) / 5;
        if (segments == 0 || rest.Length != (segments * 5) - 1)
        {
            throw new ArgumentException($"'{path}' isn't made of segments of four characters", nameof(path));
        }

        if (segments == 2)
        {
            U8(DualNamePrefix);
        }
        else if (segments > 2)
        {
            U8(MultiNamePrefix);
            U8((byte)segments);
        }

        for (int i = 0; i < segments; i++)
        {
            Ascii(rest.Slice(i * 5, 4));
        }
    }

    /// <summary>20.2.4: one byte of six bits, or the low four bits and one to three bytes more.</summary>
    private static void PackageLength(Span<byte> target, int length)
    {
        if (target.Length == 1)
        {
            target[0] = (byte)length;
            return;
        }

        target[0] = (byte)(((target.Length - 1) << 6) | (length & 0xF));
        for (int i = 1; i < target.Length; i++)
        {
            target[i] = (byte)(length >> (4 + (8 * (i - 1))));
        }
    }

    private void Ascii(ReadOnlySpan<char> text)
    {
        foreach (char character in text)
        {
            U8((byte)character);
        }
    }

    private void LittleEndian(ulong value, int bytes)
    {
        for (int i = 0; i < bytes; i++)
        {
            U8((byte)(value >> (8 * i)));
        }
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        Room(bytes.Length);
        bytes.CopyTo(_bytes.AsSpan(_length));
        _length += bytes.Length;
    }

    private void U8(byte value)
    {
        Room(1);
        _bytes[_length++] = value;
    }

    private void Room(int bytes)
    {
        if (_bytes.Length - _length < bytes)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + bytes));
        }
    }
}
