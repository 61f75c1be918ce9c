using System;
using Strato.Engine.Linux;

namespace Strato.Engine.Net;

/// <summary>Nothing, where a network interface can be plugged in: no frame comes or goes, and no descriptor is open.</summary>
/// <param name="offloads">Whether only such backends fit that take unfinished frames.</param>
internal sealed class NoBackend(bool offloads) : INetBackend
{
    public string Name => "nothing";

    public int Descriptor => -1;

    public bool Offloads => offloads;

    public bool HasLongFrames => false;

    public bool HasFrames => false;

    public void SetOffload(uint offload)
    {
    }

    public bool TryUse(bool used) => true;

    public nint Receive(ReadOnlySpan<Libc.iovec> room) => 0;

    public nint Send(ReadOnlySpan<Libc.iovec> frame) => 0;

    public bool TryFlush() => true;

    public void Dispose()
    {
    }
}
