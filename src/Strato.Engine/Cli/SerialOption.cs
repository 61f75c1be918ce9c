using System;
using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary>The value of <c>-serial</c>.</summary>
internal static class SerialOption
{
    public const string Usage = "stdio|pty|file:PATH|unix:PATH,server,nowait|console,socket=PATH[,log=PATH]|chardev:ID|null|none";

    private const string Option = "-serial";
    private const string Prefix = "chardev:";
    private static readonly string[] Backends = ["stdio", "pty", "file", "unix", "socket", "console", "chardev", "null", "none"];

    public static void Apply(Options options, string value)
    {
        if (value.StartsWith(Prefix, StringComparison.Ordinal))
        {
            options.Lookups.Add(() => options.Configuration.Serial = options.Chardevs.Claim(value[Prefix.Length..], Option).ForPort());
        }
        else
        {
            options.Configuration.Serial = Parse(value);
        }
    }

    private static SerialConfiguration Parse(string value)
    {
        SubOptions parts = new(Option, value, "backend");

        // file:PATH and unix:PATH carry the path in the first part; file,path=PATH and socket,path=PATH in one of its own.
        string first = parts.Require("backend");
        int colon = first.IndexOf(':');
        string backend = colon < 0 ? first : first[..colon];
        string? path = colon < 0 ? null : first[(colon + 1)..];
        SerialConfiguration serial;
        switch (backend)
        {
            case "stdio" when path is null:
                serial = new SerialConfiguration(SerialBackend.Stdio);
                break;
            case "pty" when path is null:
                serial = new SerialConfiguration(SerialBackend.Pty);
                break;
            case "null" when path is null:
                serial = new SerialConfiguration(SerialBackend.Null);
                break;
            case "none" when path is null:
                serial = SerialConfiguration.None;
                break;
            case "file":
                path ??= parts.Require("path");
                ConfigurationLimits.CheckPath(path, "serial port's file", Option);
                serial = new SerialConfiguration(SerialBackend.File, path);
                break;
            case "unix" when path is not null:
                serial = Socket(parts, path, backend);
                break;
            case "socket" when path is null:
                serial = Socket(parts, parts.Require("path"), backend);
                break;
            case "console" when path is null:
                serial = Console(parts);
                break;
            default:
                throw parts.Invalid($"'{ConfigurationLimits.Printable(first)}' is unknown{NearName.Hint(backend, Backends)}; allowed: {Usage}.");
        }

        parts.End();
        return serial;
    }

    private static SerialConfiguration Socket(SubOptions parts, string path, string form)
    {
        SocketOption.TakeServer(parts, form, implied: false);
        return new SerialConfiguration(SerialBackend.Unix, SocketOption.Check(path, Option));
    }

    private static SerialConfiguration Console(SubOptions parts)
    {
        string socket = SocketOption.Check(parts.Require("socket"), parts.Where("socket"));
        string? log = parts.Take("log");
        if (log is not null)
        {
            ConfigurationLimits.CheckPath(log, "console's log", parts.Where("log"));
        }

        return new SerialConfiguration(SerialBackend.Console, socket, log);
    }
}
