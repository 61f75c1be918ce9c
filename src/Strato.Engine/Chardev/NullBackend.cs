using System;

namespace Strato.Engine.Chardev;

/// <summary>Leads nowhere: output is dropped, and there is no input.</summary>
internal sealed class NullBackend : ICharBackend
{
    public string Name => "null";

    public void Connect(ICharFrontend frontend)
    {
    }

    public bool Transmit(ReadOnlySpan<byte> data) => false;

    public void ResumeInput()
    {
    }

    public void Flush(TimeSpan limit)
    {
    }

    public void Dispose()
    {
    }
}
