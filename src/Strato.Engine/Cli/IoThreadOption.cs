using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary>The two forms that make an iothread: <c>-iothread id=ID</c> and <c>-object iothread,id=ID</c>.</summary>
internal static class IoThreadOption
{
    public const string ObjectUsage = "id=ID";

    public static void Add(Options options, string value) => Take(options, new SubOptions("-iothread", value));

    public static void AddObject(Options options, SubOptions parts) => Take(options, parts);

    private static void Take(Options options, SubOptions parts)
    {
        string id = parts.Require("id");
        parts.End();
        options.Configuration.IoThreads.Add(new IoThreadConfiguration(id, parts.Where("id")));
        IoThreadConfiguration.CheckAll(options.Configuration.IoThreads);
    }
}
