using System;
using System.Text.Json;
using Strato.Engine.Machine;
using Strato.Engine.Qmp.Schema;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>Character devices and the console's ports on them, while the machine runs: chardev-add, chardev-remove, device_add of a port.</summary>
internal static class ChardevCommands
{
    public const string PortDriver = "virtserialport";
    public const string ConsoleDriver = "virtconsole";

    /// <summary>What -chardev knows, under QEMU's names.</summary>
    public static readonly string[] Backends = ["socket", "file", "pty", "stdio", "null"];

    /// <summary>What device_add takes for a port alone.</summary>
    public static readonly string[] PortArguments = ["chardev", "nr", "name"];

    private static readonly string[] SocketOnly = ["addr", "server", "wait"];

    public static void Add(QmpCall call)
    {
        QmpObject arguments = call.Arguments;
        QmpObject backend = arguments.Object("backend");
        QmpObject data = backend.Object("data");
        int kind = backend.Choice("type", Backends)!.Value;
        foreach (string name in (ReadOnlySpan<string>)[.. kind == 0 ? [] : SocketOnly, .. kind == 1 ? (string[])[] : ["out"]])
        {
            if (!data.Find(name).IsEmpty)
            {
                throw new QmpException($"Parameter 'backend.data.{name}' doesn't go with type={Backends[kind]}");
            }
        }

        SerialConfiguration chardev = kind switch
        {
            0 => Socket(data),
            1 => new SerialConfiguration(SerialBackend.File, data.Require("out")),
            2 => new SerialConfiguration(SerialBackend.Pty),
            3 => new SerialConfiguration(SerialBackend.Stdio),
            _ => new SerialConfiguration(SerialBackend.Null),
        };
        string id = arguments.Require("id");
        string? terminal = null;
        DeviceCommands.Run(() =>
        {
            if (kind == 1)
            {
                ConfigurationLimits.CheckPath(chardev.Path!, $"file of '{ConfigurationLimits.Printable(id)}'", "backend.data.out");
            }

            terminal = call.Machine.Ports.AddChardev(chardev with { Id = id });
        });
        Utf8JsonWriter json = call.Result;
        json.WriteStartObject();
        if (terminal is not null)
        {
            json.WriteString("pty", terminal);
        }

        json.WriteEndObject();
    }

    public static void Remove(QmpCall call)
    {
        string id = call.Arguments.Require("id");
        DeviceCommands.Run(() => call.Machine.Ports.RemoveChardev(id));
    }

    /// <summary>device_add of a port.</summary>
    /// <exception cref="UserErrorException">It can't come.</exception>
    public static void AddPort(QmpCall call, string driver)
    {
        QmpObject arguments = call.Arguments;
        foreach ((string name, _, _) in QmpArgumentTypes.AddDevice.Members)
        {
            if (name is not ("id" or "driver") && Array.IndexOf(PortArguments, name) < 0 && !arguments.Find(name).IsEmpty)
            {
                throw new QmpException($"Parameter '{name}' doesn't go with {driver}");
            }
        }

        call.Machine.Ports.Add(new PortRequest(arguments.Require("id"), arguments.Require("chardev"), driver == ConsoleDriver, arguments.Text("name"), arguments.Number("nr")));
    }

    /// <summary>A socket that listens and waits for nobody, which is what QEMU makes of one without server and wait.</summary>
    private static SerialConfiguration Socket(QmpObject data)
    {
        if (data.Boolean("server") == false)
        {
            throw new QmpException("Parameter 'backend.data.server' is false; a port's socket listens: allowed is true");
        }

        if (data.Boolean("wait") == true)
        {
            throw new QmpException("Parameter 'backend.data.wait' is true; the machine never waits for a client: allowed is false");
        }

        QmpObject address = data.Find("addr").IsEmpty ? throw new QmpException("Parameter 'backend.data.addr' is missing") : data.Object("addr");
        return new SerialConfiguration(SerialBackend.Unix, address.Object("data").Require("path"));
    }
}
