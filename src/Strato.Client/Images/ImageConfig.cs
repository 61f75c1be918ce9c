using System.Collections.Generic;
using System.Text.Json;

namespace Strato.Client.Images;

/// <summary>What an image says of how it is run.</summary>
internal sealed record ImageConfig
{
    internal IReadOnlyList<string> Entrypoint { get; init; } = [];

    internal IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>NAME=VALUE each.</summary>
    internal IReadOnlyList<string> Environment { get; init; } = [];

    /// <summary>Absolute path in the image; empty for the root.</summary>
    internal string WorkingDirectory { get; init; } = "";

    /// <summary>Numbers or names, with or without a group; empty for root.</summary>
    internal string User { get; init; } = "";

    /// <summary>Digests of the layers, not compressed.</summary>
    internal IReadOnlyList<string> DiffIds { get; init; } = [];

    /// <summary>Such as <c>amd64</c>; null where it isn't said.</summary>
    internal string? Architecture { get; init; }

    /// <param name="json">Of the OCI image specification, or Docker's, which is the same in these.</param>
    /// <exception cref="StratoException">ImageDamaged.</exception>
    internal static ImageConfig Read(byte[] json)
    {
        using JsonDocument document = OciImage.Parse(json, "its configuration");
        JsonElement root = document.RootElement;
        JsonElement config = OciImage.Member(root, "config");
        return new ImageConfig
        {
            Entrypoint = OciImage.Texts(config, "Entrypoint"),
            Command = OciImage.Texts(config, "Cmd"),
            Environment = OciImage.Texts(config, "Env"),
            WorkingDirectory = OciImage.Text(config, "WorkingDir") ?? "",
            User = OciImage.Text(config, "User") ?? "",
            DiffIds = OciImage.Texts(OciImage.Member(root, "rootfs"), "diff_ids"),
            Architecture = OciImage.Text(root, "architecture"),
        };
    }
}
