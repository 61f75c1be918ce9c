using System;
using System.Text.Json;

namespace Strato.Client.Qmp;

/// <summary>How much memory a guest has and uses, by what its balloon tells.</summary>
internal static class GuestMemory
{
    /// <summary>The balloon of a VM that the cmdlets started.</summary>
    internal const string Path = "/machine/peripheral/balloon";

    /// <summary>What a QMP command has behind <c>"execute":</c> to ask for a guest's figures.</summary>
    internal const string Question = $"\"qom-get\",\"arguments\":{{\"path\":\"{Path}\",\"property\":\"guest-stats\"}}";

    /// <summary>Bytes that the guest has, of an answer to query-balloon; null where there is no balloon, which the engine answers with an error.</summary>
    internal static long? Actual(JsonElement answer) => Number(answer, "actual");

    /// <summary>Bytes that the guest uses: its total memory less what is available to it without swapping; null where it tells nothing.</summary>
    /// <param name="answer">To <see cref="Question"/>.</param>
    internal static long? Used(JsonElement answer) =>
        Number(answer, "last-update") is > 0 && answer.TryGetProperty("stats", out JsonElement stats)
        && Number(stats, "stat-total-memory") is { } total and >= 0 && Number(stats, "stat-available-memory") is { } available and >= 0
            ? Math.Max(0, total - available)
            : null;

    /// <summary>Bytes of RAM that the guest needs at the moment.</summary>
    /// <param name="used">As the guest tells; null where it doesn't.</param>
    /// <param name="assigned">Bytes that it has.</param>
    /// <param name="resident">Bytes that the engine occupies: what the guest has touched and not given back, and a few MB of the engine's own.</param>
    internal static long Demand(long? used, long assigned, long resident) => Math.Min(used ?? resident, assigned);

    private static long? Number(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty(name, out JsonElement number) && number.ValueKind == JsonValueKind.Number && number.TryGetInt64(out long whole)
            ? whole
            : null;
}
