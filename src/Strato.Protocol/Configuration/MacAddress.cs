using System;
using System.Globalization;
using System.Text;

namespace Strato.Protocol.Configuration;

/// <summary>Addresses of network interfaces: six bytes, written <c>52:54:00:12:34:56</c>.</summary>
public static class MacAddress
{
    private const int Bytes = 6;
    private const int Multicast = 1;
    private const int LocallyAdministered = 2;

    /// <summary>Reads an address of an interface: six bytes in hexadecimal, divided by colons or dashes.</summary>
    /// <param name="text">The address.</param>
    /// <param name="where">Option or path, for the error.</param>
    /// <exception cref="UserErrorException">InvalidMac: another form, all zeros, or a group's address.</exception>
    public static byte[] Parse(string text, string where)
    {
        byte[] address = new byte[Bytes];
        string[] parts = text.Split(text.IndexOf('-') >= 0 ? '-' : ':');
        bool read = parts.Length == Bytes;
        int sum = 0;
        for (int i = 0; read && i < Bytes; i++)
        {
            read = parts[i].Length == 2 && byte.TryParse(parts[i], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out address[i]);
            sum |= address[i];
        }

        string? problem = !read ? "isn't six bytes in hexadecimal divided by colons"
            : sum == 0 ? "is all zeros"
            : (address[0] & Multicast) != 0 ? "is a group's address; an interface's first byte is even"
            : null;
        return problem is null
            ? address
            : throw new UserErrorException("InvalidMac", $"'{ConfigurationLimits.Printable(text)}' {problem}; allowed is one such as 52:54:00:12:34:56.", where);
    }

    /// <summary>An address that follows from names: the same for the same, and hardly ever that of others. Locally administered.</summary>
    /// <param name="machine">The machine's name, or what stands for it.</param>
    /// <param name="index">Which of its interfaces.</param>
    public static byte[] Generate(string machine, int index)
    {
        // FNV-1a with 64 bits, and the finalizer of SplitMix64, which brings each bit into all.
        ulong hash = 14695981039346656037;
        foreach (byte value in Encoding.UTF8.GetBytes($"{index}/{machine}"))
        {
            hash = unchecked((hash ^ value) * 1099511628211);
        }

        hash = unchecked((hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9);
        hash = unchecked((hash ^ (hash >> 27)) * 0x94d049bb133111eb);
        hash ^= hash >> 31;
        byte[] address = new byte[Bytes];
        for (int i = 0; i < Bytes; i++)
        {
            address[i] = (byte)(hash >> (8 * i));
        }

        address[0] = (byte)((address[0] & ~Multicast) | LocallyAdministered);
        return address;
    }

    public static string Format(ReadOnlySpan<byte> address)
    {
        StringBuilder text = new(3 * Bytes);
        foreach (byte value in address)
        {
            text.Append(text.Length == 0 ? "" : ":").Append(value.ToString("x2", CultureInfo.InvariantCulture));
        }

        return text.ToString();
    }
}
