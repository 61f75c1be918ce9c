using System.Text.Json;

namespace Strato.Client.Guest;

/// <summary>Reads answers, whose shape nobody vouches for: what isn't there, or is of another kind, is null.</summary>
internal static class AgentJson
{
    internal static JsonElement? Member(this JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty(name, out JsonElement member) && member.ValueKind != JsonValueKind.Null ? member : null;

    internal static string? Text(this JsonElement value, string name) =>
        value.Member(name) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    internal static long? Number(this JsonElement value, string name) =>
        value.Member(name) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out long whole) ? whole : null;

    /// <summary>As <see cref="Number"/>, of a small number.</summary>
    internal static int? Small(this JsonElement value, string name) => value.Number(name) is long number and >= int.MinValue and <= int.MaxValue ? (int)number : null;

    internal static bool Flag(this JsonElement value, string name) => value.Member(name) is { ValueKind: JsonValueKind.True };

    /// <summary>Bytes of base64; none where there is no member. Error <c>GuestAgentProtocol</c>.</summary>
    internal static byte[] Bytes(this JsonElement value, string name, string vmName)
    {
        if (value.Member(name) is not { } member)
        {
            return [];
        }

        return member.ValueKind == JsonValueKind.String && member.TryGetBytesFromBase64(out byte[]? bytes)
            ? bytes
            : throw Malformed(vmName, $"'{name}' is not base64");
    }

    internal static StratoException Malformed(string vmName, string what) =>
        new(StratoErrorKind.Connection, "GuestAgentProtocol", $"The guest agent of VM '{vmName}' answers what can't be understood: {what}.") { VmName = vmName };
}
