using System;
using System.Text;
using System.Threading;
using Strato.Engine.Chardev;
using Strato.Engine.Memory;
using Strato.Engine.Virtio.Queue;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Virtio;

/// <summary>One port of a <see cref="ConsoleDevice"/>, and where it leads on the host.</summary>
/// <remarks>
/// Input of the host waits in a buffer here until the guest has room: its source stops when that is full, or when nobody in
/// the guest has the port open. Output waits in the guest's queue when the backend has no room. On the loop's thread, the queues'
/// side under the device's gate.
/// </remarks>
internal sealed class VirtioPort : ICharFrontend, IDisposable
{
    private const int InputBytes = 16 * 1024;

    private static readonly TimeSpan FlushLimit = TimeSpan.FromMilliseconds(200);

    private readonly ICharBackend _backend;
    private readonly byte[] _input = new byte[InputBytes];
    private Action _inputCame = () => { };
    private Action _outputServed = () => { };
    private Action _peerChanged = () => { };
    private bool _hadPeer;

    // Input comes on the loop's thread; a reset comes on a vCPU's, under the device's gate.
    private readonly Lock _lock = new();
    private int _first;
    private int _end;
    private bool _open;

    /// <param name="number">Its number; 0 only for a console.</param>
    /// <param name="isConsole">Whether the guest makes a terminal of it (hvc0), which is always open.</param>
    /// <param name="name">What the guest finds it by, in /dev/virtio-ports; null for none.</param>
    /// <param name="backend">Where it leads; the port owns it from now on.</param>
    public VirtioPort(int number, bool isConsole, string? name, ICharBackend backend)
    {
        Number = number;
        IsConsole = isConsole;
        Name = name is null ? [] : Encoding.UTF8.GetBytes(name);
        _backend = backend;
    }

    public int Number { get; }

    public bool IsConsole { get; }

    /// <summary>In UTF-8; empty for none.</summary>
    public byte[] Name { get; }

    /// <summary>Queue of the guest's buffers for input. 5.3.2: port 0 has the first two queues, the others those behind the control queues.</summary>
    public int InputQueue => InputQueueOf(Number);

    /// <summary>Queue of the guest's output.</summary>
    public int OutputQueue => InputQueue + 1;

    /// <summary>What is to be told to the driver, when it has room for it.</summary>
    public ConsoleNews News { get; set; }

    public bool HasPeer => _backend.HasPeer;

    /// <summary>What it leads to, as <see cref="ICharBackend.Name"/>.</summary>
    public string BackendName => _backend.Name;

    /// <summary>Whether the guest has it open.</summary>
    public bool IsOpen
    {
        get
        {
            lock (_lock)
            {
                return _open;
            }
        }
    }

    /// <summary>The request that is being sent.</summary>
    public DescriptorChain Output { get; } = new();

    /// <summary>Whether <see cref="Output"/> was taken and isn't sent to its end.</summary>
    public bool IsSending { get; set; }

    /// <summary>Whether the driver was told that the port is there.</summary>
    public bool IsTold { get; set; }

    /// <summary>Whether the driver knows the port, and so wants to hear of it.</summary>
    public bool IsKnown { get; set; }

    /// <summary>What the driver heard last of whether somebody is there.</summary>
    public bool IsToldOfPeer { get; set; }

    /// <summary>Whether it has this name.</summary>
    public bool HasName(string name) => Name.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(name));

    /// <summary>As <see cref="InputQueue"/>, of a port's number.</summary>
    public static int InputQueueOf(int number) => number == 0 ? 0 : 2 + (2 * number);

    public int Room
    {
        get
        {
            lock (_lock)
            {
                return _open ? _input.Length - _end + _first : 0;
            }
        }
    }

    /// <summary>Not while nobody in the guest has it open: who opens it later would answer a question whose asker has gone.</summary>
    public bool KeepsInput => IsConsole || IsOpen;

    public bool HasInput
    {
        get
        {
            lock (_lock)
            {
                return _first < _end;
            }
        }
    }

    /// <summary>Joins the backend; input may come from here on.</summary>
    /// <param name="inputCame">There is input for the guest.</param>
    /// <param name="outputServed">The backend may have room for output again.</param>
    /// <param name="peerChanged">Somebody came or went.</param>
    public void Connect(Action inputCame, Action outputServed, Action peerChanged)
    {
        (_inputCame, _outputServed, _peerChanged) = (inputCame, outputServed, peerChanged);
        _backend.Connect(this);
    }

    /// <summary>The guest opens or closes it. What came for the one who closes is dropped.</summary>
    public void SetOpen(bool open)
    {
        lock (_lock)
        {
            _open = open;
            (_first, _end) = open ? (_first, _end) : (0, 0);
        }

        if (open)
        {
            _backend.ResumeInput();
        }
    }

    public void Receive(ReadOnlySpan<byte> data)
    {
        bool wasEmpty;
        lock (_lock)
        {
            wasEmpty = _first == _end;
            if (_input.Length - _end < data.Length)
            {
                _input.AsSpan(_first, _end - _first).CopyTo(_input);
                _end -= _first;
                _first = 0;
            }

            // The guest may have closed it since its room was asked for.
            data = _open ? data[..Math.Min(data.Length, _input.Length - _end)] : default;
            data.CopyTo(_input.AsSpan(_end));
            _end += data.Length;
        }

        // What is there already waits for its turn, or for the guest's room.
        if (wasEmpty && data.Length > 0)
        {
            _inputCame();
        }
    }

    public void OutputServed() => _outputServed();

    public void PeerChanged()
    {
        if (_hadPeer != _backend.HasPeer)
        {
            _hadPeer = !_hadPeer;
            _peerChanged();
        }

        _outputServed();
    }

    /// <summary>Moves input into the guest's room; how many bytes.</summary>
    public int TakeInput(BufferList room)
    {
        int count;
        bool wasFull;
        lock (_lock)
        {
            wasFull = _end - _first == _input.Length;
            count = room.Write(_input.AsSpan(_first, _end - _first));
            _first += count;
        }

        if (wasFull)
        {
            _backend.ResumeInput();
        }

        return count;
    }

    /// <summary>Sends of <see cref="Output"/> what the backend has room for; how many bytes, at most <paramref name="most"/>.</summary>
    /// <remarks>A console's is never held up, but the oldest dropped: Linux's hvc driver spins until the device has taken it.</remarks>
    public int Send(int most)
    {
        BufferList text = Output.Readable;
        int sent = 0;
        while (text.Length > 0 && sent < most)
        {
            Span<byte> piece = text.Front;
            int count = Math.Min(Math.Min(piece.Length, most - sent), IsConsole ? int.MaxValue : _backend.OutputRoom);
            if (count == 0)
            {
                break;
            }

            _backend.Transmit(piece[..count]);
            text.Advance((ulong)count);
            sent += count;
        }

        return sent;
    }

    public void Save(StateWriter state)
    {
        state.U32((uint)Number);
        state.Bool(IsConsole);
        state.Bytes(Name);
        state.Bool(IsTold);
        state.Bool(IsKnown);
        state.U32((uint)News);
        state.Bool(IsToldOfPeer);
        lock (_lock)
        {
            state.Bool(_open);
            state.Bytes(_input.AsSpan(_first, _end - _first));
        }

        state.Bool(IsSending);
        state.U32(IsSending ? (uint)Output.Readable.Length : 0);
    }

    /// <summary>Takes what <see cref="Save"/> wrote from the kind on to the input.</summary>
    /// <param name="state">Behind the port's number.</param>
    /// <param name="mismatch">Makes the error of a port that the driver knows as another.</param>
    public void Restore(StateReader state, Func<string, Exception> mismatch)
    {
        bool isConsole = state.Bool();
        ReadOnlySpan<byte> name = state.Bytes();
        if (isConsole != IsConsole || !name.SequenceEqual(Name))
        {
            throw mismatch(isConsole ? "a terminal" : $"'{Encoding.UTF8.GetString(name)}'");
        }

        IsTold = state.Bool();
        IsKnown = state.Bool();
        News = (ConsoleNews)state.Count((int)ConsoleNews.All);
        IsToldOfPeer = state.Bool();
        lock (_lock)
        {
            _open = state.Bool();
            ReadOnlySpan<byte> input = state.Bytes();
            if (input.Length > _input.Length)
            {
                throw state.Damaged($"{input.Length} bytes of input are too many");
            }

            input.CopyTo(_input);
            (_first, _end) = (0, input.Length);
        }

        _backend.ResumeInput();
    }

    /// <summary>The driver has gone.</summary>
    public void Reset()
    {
        SetOpen(false);
        IsSending = false;
        IsTold = false;
        IsKnown = false;
        IsToldOfPeer = false;
        News = ConsoleNews.None;
    }

    public void Dispose()
    {
        _backend.Flush(FlushLimit);
        _backend.Dispose();
    }
}

/// <summary>What a driver hasn't been told of a port yet, in the order in which it is told.</summary>
[Flags]
internal enum ConsoleNews
{
    None = 0,
    Add = 1,
    Console = 2,
    Name = 4,
    Open = 8,
    All = Add | Console | Name | Open,
}
