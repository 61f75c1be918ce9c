using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary>The two forms that make an iothread: <c>-iothread id=ID</c> and <c>-object iothread,id=ID</c>.</summary>
internal static class IoThreadOption
{
    private const string Kind = "iothread";

    public static void Add(Options options, string value) => Take(options, new SubOptions("-iothread", value));

    /// <remarks>An iothread is the only object that is built.</remarks>
    public static void AddObject(Options options, string value)
    {
        SubOptions parts = new("-object", value, "qom-type");
        string kind = parts.Require("qom-type");
        if (kind != Kind)
        {
            throw parts.Invalid($"The object '{ConfigurationLimits.Printable(kind)}' is unknown{NearName.Hint(kind, [Kind])}; allowed: {Kind}.");
        }

        Take(options, parts);
    }

    private static void Take(Options options, SubOptions parts)
    {
        string id = parts.Require("id");
        parts.End();
        options.Configuration.IoThreads.Add(new IoThreadConfiguration(id, parts.Where("id")));
        IoThreadConfiguration.CheckAll(options.Configuration.IoThreads);
    }
}
