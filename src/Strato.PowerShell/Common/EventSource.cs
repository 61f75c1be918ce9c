using System;
using System.Text.Json;
using System.Threading;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>Raises a .NET event for each of the VMs' events, for PowerShell's event queue.</summary>
/// <remarks>It listens as long as somebody has subscribed, on a thread of its own, which Unregister-Event thus ends.</remarks>
public sealed class EventSource
{
    private readonly object _guard = new();
    private readonly Func<EventWatch> _open;
    private readonly Predicate<VmEvent> _wanted;
    private EventHandler<Event>? _handlers;
    private CancellationTokenSource? _stop;

    internal EventSource(Func<EventWatch> open, Predicate<VmEvent> wanted)
    {
        _open = open;
        _wanted = wanted;
    }

    /// <summary>Something happened. On a thread of the source.</summary>
    public event EventHandler<Event> Received
    {
        add
        {
            lock (_guard)
            {
                _handlers += value;
                if (_stop is null)
                {
                    // Opened here, so that nothing is missed from now on, and so that who subscribes gets the error.
                    EventWatch watch = _open();
                    _stop = new CancellationTokenSource();
                    CancellationToken token = _stop.Token;
                    new Thread(() => Listen(watch, token)) { IsBackground = true, Name = "Strato events" }.Start();
                }
            }
        }

        remove
        {
            lock (_guard)
            {
                _handlers -= value;
                if (_handlers is null)
                {
                    _stop?.Cancel();
                    _stop = null;
                }
            }
        }
    }

    private void Listen(EventWatch watch, CancellationToken token)
    {
        using (watch)
        {
            try
            {
                while (true)
                {
                    if (watch.Read(null, token) is { } told && _wanted(told))
                    {
                        _handlers?.Invoke(this, new Event(told));
                    }
                }
            }
            catch (OperationCanceledException)
            {
                // Nobody listens any more.
            }
            catch (Exception e)
            {
                // On a thread of its own an exception would end the shell: it becomes the last event.
                using JsonDocument reason = JsonDocument.Parse($$"""{"reason":"{{JsonEncodedText.Encode(e.Message)}}"}""");
                _handlers?.Invoke(this, new Event(new VmEvent("", "", VmEvent.WatchFailed, reason.RootElement.Clone(), DateTimeOffset.UtcNow)));
            }
        }
    }
}
