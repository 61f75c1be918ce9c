using System;
using System.Formats.Tar;
using System.IO;

namespace Strato.Client.Images;

/// <summary>The entries of an archive; what is damaged in it is one kind of error.</summary>
internal sealed class TarEntries(Stream stream) : IDisposable
{
    private readonly TarReader _reader = new(stream, leaveOpen: true);

    /// <summary>The next entry, whose data can be read until the one behind it is asked for; null at the end.</summary>
    /// <exception cref="StratoException">ImageDamaged.</exception>
    internal TarEntry? Next() => Guard(() => _reader.GetNextEntry());

    /// <summary>Reads data that may be compressed, and damaged. Error ImageDamaged.</summary>
    internal static int Read(Stream stream, byte[] buffer) => Guard(() => stream.Read(buffer, 0, buffer.Length));

    public void Dispose() => _reader.Dispose();

    private static T Guard<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (NotSupportedException e)
        {
            throw RootTree.Damaged($"{e.Message.TrimEnd('.')}; of sparse files tar keeps the data alone, so make the archive without -S", e);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException or ArgumentException or OverflowException or InvalidOperationException)
        {
            throw RootTree.Damaged($"it is no tar archive, or not whole ({e.Message.TrimEnd('.')})", e);
        }
    }
}
