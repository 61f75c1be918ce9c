using System;
using System.Text.Json;
using Strato.Client;
using Strato.PowerShell;

namespace Strato;

/// <summary>Something that happened to a VM: what the engine tells (QMP), and that it was started or ended.</summary>
public sealed class Event : EventArgs
{
    private readonly VmEvent _event;

    internal Event(VmEvent told)
    {
        _event = told;
        Data = told.Data.ValueKind == JsonValueKind.Object ? Json.ToObject(told.Data) : null;
    }

    /// <summary>When, local time.</summary>
    public DateTime Time => _event.Timestamp.LocalDateTime;

    /// <summary>The VM's name at that time.</summary>
    public string VMName => _event.VmName;

    /// <summary>The VM's id.</summary>
    public string VMId => _event.VmId;

    /// <summary>QMP's name of it, such as SHUTDOWN; STARTED and ENDED where the VM's engine came and went.</summary>
    public string Name => _event.Name;

    /// <summary>What is told of it: an object with the properties of QMP's documentation.</summary>
    public object? Data { get; }

    /// <summary>How many events of the VM before it are lost, since they were not read in time; 0 for none.</summary>
    public long Dropped => _event.Dropped;

    /// <summary>Such as <c>web SHUTDOWN {"guest":true}</c>.</summary>
    public override string ToString() => $"{VMName} {Name} {_event.Data.GetRawText()}";
}
