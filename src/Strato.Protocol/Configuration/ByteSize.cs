using System;
using System.Globalization;

namespace Strato.Protocol.Configuration;

/// <summary>Amounts of memory as users write them: a whole number with an optional K, M, G or T (powers of 1024).</summary>
public static class ByteSize
{
    /// <summary>Largest number without a unit that means MiB: 512 GiB.</summary>
    public const long LargestMebibytes = 524288;

    /// <summary>Smallest number without a unit that means bytes: 256 MiB.</summary>
    public const long SmallestBytes = 268435456;

    /// <summary>Reads a number with an optional unit. Without one, <paramref name="bytes"/> is the number itself.</summary>
    /// <returns>False for text that isn't such a size, or one above 2⁶³−1 bytes.</returns>
    public static bool TryParse(ReadOnlySpan<char> text, out long bytes, out bool hasUnit)
    {
        int shift = text.Length == 0 ? 0 : text[^1] switch
        {
            'K' or 'k' => 10,
            'M' or 'm' => 20,
            'G' or 'g' => 30,
            'T' or 't' => 40,
            _ => 0,
        };
        hasUnit = shift != 0;
        ReadOnlySpan<char> digits = hasUnit ? text[..^1] : text;
        bytes = 0;
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number) || number > long.MaxValue >> shift)
        {
            return false;
        }

        bytes = number << shift;
        return true;
    }

    /// <summary>Reads the value of <c>-m</c> and checks it: a number without a unit is MiB up to 524288 and bytes from 268435456 on.</summary>
    /// <exception cref="UserErrorException">InvalidMemory.</exception>
    public static long ParseMemory(string text, string where)
    {
        if (!TryParse(text, out long bytes, out bool hasUnit))
        {
            throw new UserErrorException(
                "InvalidMemory",
                $"'{ConfigurationLimits.Printable(text)}' is not an amount of memory; allowed: a whole number with K, M, G or T, such as 512M, of 256M to 512G.",
                where);
        }

        if (!hasUnit && bytes is > LargestMebibytes and < SmallestBytes)
        {
            throw new UserErrorException(
                "InvalidMemory",
                $"Memory of {text} has no unit and could be MiB or bytes; up to {LargestMebibytes} a number is MiB, from {SmallestBytes} on bytes. Give a unit, such as 512M.",
                where);
        }

        if (!hasUnit && bytes <= LargestMebibytes)
        {
            bytes <<= 20;
        }

        ConfigurationLimits.CheckMemory(bytes, where, text);
        return bytes;
    }

    /// <summary>The shortest exact form that <see cref="TryParse"/> reads back, such as <c>512M</c>.</summary>
    public static string Format(long bytes)
    {
        ReadOnlySpan<char> units = "KMGT";
        int unit = -1;
        while (unit < 3 && bytes != 0 && bytes % 1024 == 0)
        {
            bytes /= 1024;
            unit++;
        }

        string number = bytes.ToString(CultureInfo.InvariantCulture);
        return unit < 0 ? number : number + units[unit];
    }

    /// <summary>For messages: <c>256 MiB</c>, <c>100 bytes</c>.</summary>
    public static string Describe(long bytes)
    {
        string text = Format(bytes);
        return char.IsAsciiDigit(text[^1]) ? $"{text} bytes" : $"{text[..^1]} {text[^1]}iB";
    }
}
