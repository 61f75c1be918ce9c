using System;
using System.IO;

namespace Strato.Tests.Unit.Driver;

/// <summary>A file of a given size, or a name where nothing stands, gone when the test ends.</summary>
internal sealed class TemporaryFile : IDisposable
{
    public TemporaryFile(long? length = null)
    {
        Path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"strato-test-{Guid.NewGuid():n}");
        if (length is { } bytes)
        {
            using FileStream file = File.Create(Path);
            file.SetLength(bytes);
        }
    }

    public string Path { get; }

    public void Dispose() => File.Delete(Path);
}
