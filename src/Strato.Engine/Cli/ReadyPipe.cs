using System;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Cli;

/// <summary>The pipe on which whoever started the engine learns that the machine runs, or why it doesn't (<c>-ready-fd</c>).</summary>
/// <remarks>One line: <c>ok</c>, or JSON <c>{"id":"…","message":"…","where":"…","advice":"…"}</c>. End of file without a line means that the engine died.</remarks>
internal sealed class ReadyPipe(int? descriptor)
{
    private int? _descriptor = descriptor;

    /// <summary>Null when nobody listens, or everything is told.</summary>
    public int? Descriptor => _descriptor;

    public void Succeed() => Tell("ok\n"u8);

    public void Fail(UserErrorException error) => Tell(error.ToJsonLine());

    private void Tell(ReadOnlySpan<byte> line)
    {
        if (_descriptor is { } fd)
        {
            // Nobody may be reading any more; that is no reason to end the machine.
            _ = Libc.Write(fd, line);
            _ = Libc.close(fd);
            _descriptor = null;
        }
    }
}
