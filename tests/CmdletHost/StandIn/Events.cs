using System.Collections.Generic;
using System.Reflection;

namespace System.Management.Automation;

/// <summary>Code of the user: here what a test gives.</summary>
/// <param name="body">Gets the event's arguments.</param>
public sealed class ScriptBlock(Action<object?> body)
{
    internal void Invoke(object? arguments) => body(arguments);
}

/// <summary>What a subscription with an action has.</summary>
public sealed class PSEventJob;

/// <summary>A subscription.</summary>
public sealed class PSEventSubscriber
{
    internal PSEventSubscriber(string sourceIdentifier, PSEventJob? action, Action unsubscribe)
    {
        SourceIdentifier = sourceIdentifier;
        Action = action;
        Unsubscribe = unsubscribe;
    }

    public string SourceIdentifier { get; }

    public PSEventJob? Action { get; }

    /// <summary>As Unregister-Event does.</summary>
    public Action Unsubscribe { get; }
}

/// <summary>The events of a session: an action runs on the thread that raises its event, and what has none is queued.</summary>
public class PSEventManager
{
    public List<PSEventSubscriber> Subscribers { get; } = [];

    /// <summary>Arguments of events whose subscription has no action.</summary>
    public List<object?> Queue { get; } = [];

    public IEnumerable<PSEventSubscriber> GetEventSubscribers(string sourceIdentifier) =>
        Subscribers.FindAll(one => string.Equals(one.SourceIdentifier, sourceIdentifier, StringComparison.OrdinalIgnoreCase));

    /// <summary>Data, forwarding and counts are PowerShell's own business, which tests don't look at.</summary>
#pragma warning disable IDE0060 // The signature is PowerShell's.
    public PSEventSubscriber SubscribeEvent(
        object source, string eventName, string sourceIdentifier, PSObject? data, ScriptBlock? action, bool supportEvent, bool forwardEvent, int maxTriggerCount)
#pragma warning restore IDE0060
    {
        EventInfo raised = source.GetType().GetEvent(eventName) ?? throw new ArgumentException($"'{eventName}' is no event.");
        Receiver receiver = new(this, action);
        Delegate handler = Delegate.CreateDelegate(raised.EventHandlerType!, receiver, typeof(Receiver).GetMethod(nameof(Receiver.Take))!);
        raised.AddEventHandler(source, handler);
        PSEventSubscriber subscriber = new(sourceIdentifier, action is null ? null : new PSEventJob(), () => raised.RemoveEventHandler(source, handler));
        Subscribers.Add(subscriber);
        return subscriber;
    }

    private sealed class Receiver(PSEventManager events, ScriptBlock? action)
    {
        public void Take(object? sender, EventArgs arguments)
        {
            if (action is not null)
            {
                action.Invoke(arguments);
                return;
            }

            lock (events.Queue)
            {
                events.Queue.Add(arguments);
            }
        }
    }
}
