using System;
using System.Text.Json;

namespace Strato.Client;

/// <summary>Something that happened to a VM.</summary>
/// <param name="VmId">Its id.</param>
/// <param name="VmName">Its name at that time.</param>
/// <param name="Name">QMP's name of the event, or <see cref="Started"/> or <see cref="Ended"/>.</param>
/// <param name="Data">What QMP says of it: an object.</param>
/// <param name="Timestamp">When.</param>
/// <param name="Dropped">Events of this VM before it that are lost, since they were not read in time.</param>
public sealed record VmEvent(string VmId, string VmName, string Name, JsonElement Data, DateTimeOffset Timestamp, long Dropped = 0)
{
    /// <summary>Its engine has been started and answers.</summary>
    public const string Started = "STARTED";

    /// <summary>The watch itself has failed and is over; <c>reason</c> says why. Of no VM.</summary>
    public const string WatchFailed = "WATCH_FAILED";

    /// <summary>Its engine has ended, however that came; <c>reason</c> says it as Get-StratoVm does.</summary>
    public const string Ended = "ENDED";
}
