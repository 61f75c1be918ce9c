using System;
using System.Linq;
using System.Management.Automation;
using System.Reflection;
using System.Runtime.ExceptionServices;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Register-StratoEvent: a script block for what happens to VMs.</summary>
[Cmdlet(VerbsLifecycle.Register, "StratoEvent", DefaultParameterSetName = VMNameSet)]
[OutputType(typeof(PSEventJob))]
public sealed class RegisterStratoEventCommand : EventCmdlet
{
    [Parameter(HelpMessage = "What to do at each event, which is $EventArgs; without it events go to the queue, for Get-Event and Wait-Event.")]
    [ValidateNotNull]
    public ScriptBlock? Action { get; set; }

    [Parameter(HelpMessage = "Name of the subscription, for Unregister-Event, Get-Event and Wait-Event.")]
    [ValidateNotNullOrEmpty]
    public string? SourceIdentifier { get; set; }

    [Parameter(HelpMessage = "Anything that the action is to have as $Event.MessageData.")]
    public PSObject? MessageData { get; set; }

    [Parameter(HelpMessage = "End the subscription after so many events; without end if omitted.")]
    [ValidateRange(0, int.MaxValue)]
    public int MaxTriggerCount { get; set; }

    protected override void EndProcessing()
    {
        if (Watch() is not { } open)
        {
            return;
        }

        EventSource source = new(open, Filter());
        string identifier = SourceIdentifier ?? Guid.NewGuid().ToString();
        PSEventSubscriber? subscriber = Try(identifier, () => Subscribe(source, identifier));
        if (subscriber?.Action is { } job)
        {
            WriteObject(job);
        }
    }

    private PSEventSubscriber Subscribe(EventSource source, string identifier)
    {
        if (Events.GetEventSubscribers(identifier).Any())
        {
            throw new StratoException(
                StratoErrorKind.AlreadyExists, "SubscriberExists", $"There is a subscription of the name '{identifier}' already; Unregister-Event '{identifier}' ends it.")
            { Where = "-SourceIdentifier" };
        }

        try
        {
            return Events.SubscribeEvent(source, nameof(EventSource.Received), identifier, MessageData, Action, supportEvent: false, forwardEvent: false, MaxTriggerCount);
        }
        catch (TargetInvocationException e) when (e.InnerException is { } inner)
        {
            ExceptionDispatchInfo.Throw(inner);
            throw;
        }
        catch (ArgumentException e)
        {
            // Of names that begin with "PowerShell.", which are its own.
            throw new StratoException(StratoErrorKind.InvalidArgument, "SourceIdentifierInvalid", e.Message, e) { Where = "-SourceIdentifier" };
        }
    }
}
