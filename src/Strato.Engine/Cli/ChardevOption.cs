using Strato.Protocol;
using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary><c>-chardev</c>: where a port leads, or the socket of another program, for a <c>-device</c> or <c>-serial</c> to refer to.</summary>
internal static class ChardevOption
{
    public const string Usage = "socket,id=ID,path=PATH[,server,nowait]|file,id=ID,path=PATH|pty,id=ID|stdio,id=ID|null,id=ID";

    private const string Option = "-chardev";
    private static readonly string[] Backends = ["socket", "file", "pty", "stdio", "null"];

    public static void Add(Options options, string value)
    {
        SubOptions parts = new(Option, value, "backend");
        string? backend = parts.Take("backend");
        string id = parts.TakeId() ?? parts.Require("id");
        SerialConfiguration chardev;
        UserErrorException? noPort = null;
        switch (backend)
        {
            case null:
                // The older form, id=ID,path=PATH: a socket.
                SocketOption.TakeServer(parts, "socket", implied: true);
                chardev = new SerialConfiguration(SerialBackend.Unix, SocketOption.Check(parts.Require("path"), parts.Where("path")));
                break;
            case "socket":
                noPort = SocketOption.FindServerFault(parts, "socket", implied: false);
                chardev = new SerialConfiguration(SerialBackend.Unix, SocketOption.Check(parts.Require("path"), parts.Where("path")));
                break;
            case "file":
                string path = parts.Require("path");
                ConfigurationLimits.CheckPath(path, $"file of '{ConfigurationLimits.Printable(id)}'", parts.Where("path"));
                chardev = new SerialConfiguration(SerialBackend.File, path);
                break;
            case "pty":
                chardev = new SerialConfiguration(SerialBackend.Pty);
                break;
            case "stdio":
                chardev = new SerialConfiguration(SerialBackend.Stdio);
                break;
            case "null":
                chardev = new SerialConfiguration(SerialBackend.Null);
                break;
            default:
                throw parts.Invalid($"'{ConfigurationLimits.Printable(backend)}' is unknown{NearName.Hint(backend, Backends)}; allowed: {Usage}.");
        }

        parts.End();
        options.Chardevs.Add(id, new Chardev(chardev with { Id = id }, noPort));
    }
}
