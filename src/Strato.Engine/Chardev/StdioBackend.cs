using System;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;

namespace Strato.Engine.Chardev;

/// <summary>Standard input and output: a terminal, made raw, or pipes and files.</summary>
/// <remarks>
/// On a terminal every key goes to the guest, Ctrl-C too, so that it ends the guest's command and not the guest; with
/// signals on (QEMU's <c>signal=on</c>) Ctrl-C ends the engine. The end of standard input is the end of input; output goes on.
/// </remarks>
internal sealed class StdioBackend : ICharBackend
{
    private const int RingSize = 64 * 1024;

    private readonly EventLoop _loop;
    private readonly OutputFeed _feed;
    private readonly StandardStream? _in;
    private readonly StandardStream? _out;
    private readonly TerminalMode? _mode;
    private readonly DescriptorWatch? _outWatch;
    private readonly StreamOutput? _output;
    private DescriptorWatch? _inWatch;
    private InputQueue? _queue;
    private StreamInput? _input;
    private bool _outBroken;
    private bool _disposed;

    /// <param name="loop">The main loop.</param>
    /// <param name="signals">Whether keys such as Ctrl-C signal the engine and don't reach the guest.</param>
    /// <param name="input">Descriptor of standard input.</param>
    /// <param name="output">Descriptor of standard output.</param>
    public StdioBackend(EventLoop loop, bool signals = false, int input = 0, int output = 1)
    {
        _loop = loop;
        _feed = new OutputFeed(loop, RingSize, Drain);

        // A pipe whose reader ends must end the output, not the engine.
        Libc.IgnoreSignal(Libc.SIGPIPE);
        _in = StandardStream.TryOpen(input, output: false);
        _out = StandardStream.TryOpen(output, output: true);
        if (_in is not null && Libc.isatty(input) == 1)
        {
            _mode = TerminalMode.TryMakeRaw(input, signals);
            if (_mode is null)
            {
                // Reading a terminal from its background would stop the engine (SIGTTIN).
                Log.Warning("serial", "the engine runs in its terminal's background: the guest gets no input from it");
                _in.Dispose();
                _in = null;
            }
        }

        if (_out is not null)
        {
            _outWatch = new DescriptorWatch(loop, _out.Fd, OnOutput);
            _output = new StreamOutput(_feed.Ring, _outWatch, _out.IsSocket, 0);
        }
    }

    public string Name => "stdio";

    public int OutputRoom => _feed.Room;

    public void Connect(ICharFrontend frontend)
    {
        _feed.Frontend = frontend;
        if (_in is not null)
        {
            _queue = new InputQueue(_loop, frontend);
            _input = new StreamInput(_loop, _in.Fd, _queue) { WhenEnded = () => _inWatch?.Dispose() };
            _inWatch = new DescriptorWatch(_loop, _in.Fd, _ => _input.Ready());
        }
    }

    public bool Transmit(ReadOnlySpan<byte> data)
    {
        _feed.Write(data);
        return true;
    }

    public void ResumeInput() => _queue?.PostResume();

    public void Flush(TimeSpan limit) =>
        _output?.Flush(Deadline.After(limit));

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _input?.Stop();
        _inWatch?.Dispose();
        _outWatch?.Dispose();
        _feed.Dispose();
        _mode?.Dispose();
        _in?.Dispose();
        _out?.Dispose();
    }

    private void Drain() => Check(_output?.Drain());

    private void OnOutput(EpollEvents events) => Check(_output!.Writable());

    private void Check(OutputState? state)
    {
        if (state == OutputState.Broken && !_outBroken)
        {
            _outBroken = true;
            Log.Warning("serial", $"standard output takes no more: {Errno.Text(_output!.Error)}; the guest's output is dropped from here on");
            _outWatch!.Dispose();
        }
    }
}
