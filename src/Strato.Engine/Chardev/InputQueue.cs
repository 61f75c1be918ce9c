using System;
using System.Collections.Generic;
using Strato.Engine.Linux;

namespace Strato.Engine.Chardev;

/// <summary>Several sources of input for one front end, in turn: only the first has room, until it has ended.</summary>
/// <remarks>
/// So what a peer sent before it closed reaches the guest whole and before what the next peer sends, however slowly the guest reads.
/// Used on the loop's thread, but for <see cref="PostResume"/>.
/// </remarks>
internal sealed class InputQueue
{
    private readonly EventLoop _loop;
    private readonly ICharFrontend _frontend;
    private readonly List<StreamInput> _inputs = [];
    private readonly Action _resume;

    public InputQueue(EventLoop loop, ICharFrontend frontend)
    {
        _loop = loop;
        _frontend = frontend;
        _resume = Resume;
    }

    public int Count => _inputs.Count;

    public void Enter(StreamInput input) => _inputs.Add(input);

    /// <summary>Takes a source out; the next goes on.</summary>
    public void Leave(StreamInput input)
    {
        bool first = _inputs.Count > 0 && _inputs[0] == input;
        if (_inputs.Remove(input) && first)
        {
            Resume();
        }
    }

    /// <summary>How much a source may give now.</summary>
    public int RoomFor(StreamInput input) => _inputs.Count > 0 && _inputs[0] == input ? _frontend.Room : 0;

    public void Receive(ReadOnlySpan<byte> data) => _frontend.Receive(data);

    /// <summary>The front end has room again. From any thread.</summary>
    public void PostResume() => _loop.Post(_resume);

    private void Resume()
    {
        if (_inputs.Count > 0)
        {
            _inputs[0].Resume();
        }
    }
}
