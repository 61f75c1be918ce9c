using System;
using System.Collections.Generic;
using System.IO;
using Strato.Engine.Chardev;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Machine;

/// <summary>A console's port to be plugged in (device_add).</summary>
/// <param name="Id">The user's id of the device.</param>
/// <param name="Chardev">Id of the character device that it leads to.</param>
/// <param name="IsConsole">Whether the guest makes a terminal of it.</param>
/// <param name="Name">What the guest finds it by; null for none.</param>
/// <param name="Number">Null for the first that is free.</param>
internal sealed record PortRequest(string Id, string Chardev, bool IsConsole, string? Name, long? Number);

/// <summary>The machine's character devices and the console's ports on them, both of which come and go while it runs.</summary>
/// <remarks>
/// On the main loop's thread. A port that goes leaves its character device behind, for another port or chardev-remove. Each call
/// does all that it is asked or nothing; what goes wrong is a <see cref="UserErrorException"/>.
/// </remarks>
internal sealed class PortPlug : IDisposable
{
    private static readonly TimeSpan FlushLimit = TimeSpan.FromMilliseconds(200);

    private readonly List<OpenChardev> _chardevs = [];
    private readonly List<PluggedPort> _ports = [];
    private readonly EventLoop _loop;
    private readonly Action<string> _checkDeviceId;
    private ConsoleDevice? _console;
    private SerialConfiguration? _serial;
    private Func<ChardevStatus>? _serialStatus;

    /// <param name="loop">The main loop.</param>
    /// <param name="checkDeviceId">Refuses an id that a device may not have, or has.</param>
    public PortPlug(EventLoop loop, Action<string> checkDeviceId)
    {
        _loop = loop;
        _checkDeviceId = checkDeviceId;
    }

    /// <summary>A port has gone: its id.</summary>
    public Action<string> Deleted { get; set; } = _ => { };

    /// <summary>The serial port, then the others in the order in which they came.</summary>
    public IReadOnlyList<ChardevStatus> Chardevs =>
        [.. _serialStatus is null ? (List<ChardevStatus>)[] : [_serialStatus()], .. _chardevs.ConvertAll(StatusOf)];

    /// <summary>Whether a port has the id.</summary>
    public bool Has(string id) => id.Length > 0 && _ports.Exists(port => port.Id == id);

    /// <summary>The machine has a serial port, whose backend stays the caller's.</summary>
    public void SetSerial(SerialConfiguration configuration, ICharBackend backend)
    {
        string label = configuration.Id ?? "serial0";
        _serial = configuration with { Id = label };
        _serialStatus = () => new ChardevStatus(label, NameOf(backend), FrontendOpen: true);
    }

    /// <summary>Makes the console with the ports that it has from the start.</summary>
    /// <param name="configuration">Checked.</param>
    /// <exception cref="UserErrorException">What a port leads to can't be opened.</exception>
    public ConsoleDevice OpenConsole(ConsoleConfiguration configuration)
    {
        int[] numbers = configuration.GetNumbers();
        foreach (PortConfiguration port in configuration.Ports)
        {
            OpenChardev chardev = Open(port.Backend with { Id = port.Backend.Id ?? port.Label }, port.Label, port.Where);
            VirtioPort made = new(numbers[_ports.Count], port.IsConsole, port.Name, chardev.Link);
            _ports.Add(new PluggedPort(port.Id, made, chardev));
        }

        _console = new ConsoleDevice(configuration.Name, [.. _ports.ConvertAll(port => port.Port)], (int)(configuration.Room ?? 0));
        return _console;
    }

    /// <summary>Opens a character device for a port to come (chardev-add).</summary>
    /// <param name="configuration">With an id.</param>
    /// <returns>The path of a pseudo-terminal; null for any other.</returns>
    /// <exception cref="UserErrorException">InvalidId, DuplicateId, PathInUse, StandardStreamsTaken, HostRefused, or what the backend says.</exception>
    public string? AddChardev(SerialConfiguration configuration)
    {
        string id = configuration.Id!;
        ConfigurationLimits.CheckId(id, "id");
        List<SerialConfiguration> others = [.. _chardevs.ConvertAll(chardev => chardev.Configuration)];
        if (_serial is not null)
        {
            others.Add(_serial);
        }

        if (others.Exists(other => other.Id == id))
        {
            throw new UserErrorException("DuplicateId", $"The id '{ConfigurationLimits.Printable(id)}' is that of another character device; ids are unique.");
        }

        if (configuration.Backend == SerialBackend.Stdio && others.Find(other => other.Backend == SerialBackend.Stdio) is { } standard)
        {
            throw new UserErrorException("StandardStreamsTaken", $"Standard input and output are those of '{standard.Id}'; there is one of each.");
        }

        if (configuration.Path is { } path && others.Find(other => IsOn(other, path)) is { } user)
        {
            throw new UserErrorException("PathInUse", $"The path '{ConfigurationLimits.Printable(path)}' is in use by the character device '{user.Id}'.");
        }

        try
        {
            string name = Open(configuration, id, "").Link.Name;
            return configuration.Backend == SerialBackend.Pty ? name[(name.IndexOf(':') + 1)..] : null;
        }
        catch (LinuxException error)
        {
            throw new UserErrorException("HostRefused", $"The host refuses: {error.Message}.", "", error);
        }
    }

    /// <summary>Closes a character device that no port leads to (chardev-remove).</summary>
    /// <exception cref="UserErrorException">UnknownBackend, BackendInUse.</exception>
    public void RemoveChardev(string id)
    {
        if (_serial?.Id == id)
        {
            throw new UserErrorException("BackendInUse", $"The character device '{ConfigurationLimits.Printable(id)}' is in use by the serial port, which stays.");
        }

        OpenChardev chardev = Find(id);
        CheckUnused(chardev);
        _chardevs.Remove(chardev);
        chardev.Close();
    }

    /// <summary>Plugs a port in, on a character device that is there; the guest is told (device_add).</summary>
    /// <exception cref="UserErrorException">PortsUnavailable, TooManyPorts, DuplicatePort, OutOfRange, UnknownBackend, BackendInUse, or an id or name that can't be.</exception>
    public void Add(PortRequest request)
    {
        if (_console is null)
        {
            throw new UserErrorException("PortsUnavailable", "The machine has no virtio-serial device; -device virtio-serial-device,max_ports=N keeps room for N ports.");
        }

        _checkDeviceId(request.Id);
        if (request.Name is { } name)
        {
            ConfigurationLimits.CheckName(name, "name");
            if (_ports.Find(port => port.Port.HasName(name)) is { } other)
            {
                throw new UserErrorException("DuplicatePort", $"The name '{name}' is that of {Describe(other)}; the guest finds a port by its name.");
            }
        }

        int number = ChooseNumber(_console, request);
        OpenChardev chardev = _serial?.Id == request.Chardev
            ? throw new UserErrorException("BackendInUse", $"The character device '{ConfigurationLimits.Printable(request.Chardev)}' is in use by the serial port.")
            : Find(request.Chardev);
        CheckUnused(chardev);
        VirtioPort made = new(number, request.IsConsole, request.Name, chardev.Link);
        _ports.Add(new PluggedPort(request.Id, made, chardev));
        _console.AddPort(made);
    }

    /// <summary>Takes a port out; the guest is told, and the character device stays (device_del). False when no port has the id.</summary>
    public bool Remove(string id)
    {
        if (!Has(id))
        {
            return false;
        }

        PluggedPort gone = _ports.Find(port => port.Id == id)!;
        _ports.Remove(gone);
        _console!.RemovePort(gone.Port);
        Deleted(id);
        return true;
    }

    /// <summary>Closes all character devices; ports write nothing from here on.</summary>
    public void Dispose()
    {
        _chardevs.ForEach(chardev => chardev.Close());
        _chardevs.Clear();
    }

    private static string NameOf(ICharBackend backend) => backend.HasPeer ? backend.Name : $"disconnected:{backend.Name}";

    /// <summary>Whether a character device stands on a file or socket.</summary>
    private static bool IsOn(SerialConfiguration other, string path) =>
        other.Path is { } taken && (taken == path || (taken.Length > 0 && path.Length > 0 && Path.GetFullPath(taken) == Path.GetFullPath(path)));

    private static string Describe(PluggedPort port) =>
        port.Id.Length > 0 ? $"the port '{ConfigurationLimits.Printable(port.Id)}'" : $"port {port.Port.Number}, which has no id";

    private OpenChardev Open(SerialConfiguration configuration, string label, string where)
    {
        OpenChardev made = new(configuration, new CharLink(CharBackends.Create(_loop, configuration, label, where)!));
        _chardevs.Add(made);
        return made;
    }

    private ChardevStatus StatusOf(OpenChardev chardev) =>
        new(chardev.Configuration.Id!, NameOf(chardev.Link), _ports.Exists(port => port.Chardev == chardev && port.Port.IsOpen));

    private OpenChardev Find(string id) => _chardevs.Find(chardev => chardev.Configuration.Id == id)
        ?? throw new UserErrorException(
            "UnknownBackend",
            $"Character device '{ConfigurationLimits.Printable(id)}' not found; {(_chardevs.Count == 0 ? "chardev-add adds one" : $"allowed: {string.Join(", ", _chardevs.ConvertAll(chardev => ConfigurationLimits.Printable(chardev.Configuration.Id!)))}")}.");

    private void CheckUnused(OpenChardev chardev)
    {
        if (_ports.Find(port => port.Chardev == chardev) is { } user)
        {
            throw new UserErrorException(
                "BackendInUse",
                $"The character device '{ConfigurationLimits.Printable(chardev.Configuration.Id!)}' is in use by {Describe(user)}{(user.Id.Length > 0 ? "; device_del takes the port away." : ".")}");
        }
    }

    private int ChooseNumber(ConsoleDevice console, PortRequest request)
    {
        int least = request.IsConsole ? 0 : 1;
        List<int> free = [];
        for (int number = least; number < console.Room; number++)
        {
            if (!_ports.Exists(port => port.Port.Number == number))
            {
                free.Add(number);
            }
        }

        string frees = free.Count == 0 ? "none is free" : $"free: {string.Join(", ", free)}";
        if (request.Number is { } wanted)
        {
            if (wanted < least || wanted >= console.Room)
            {
                throw new UserErrorException("OutOfRange", console.Room > least
                    ? $"Number {wanted} is out of range; allowed for {(request.IsConsole ? "a terminal" : "a named port")}: {least} to {console.Room - 1}, and {frees}. max_ports of virtio-serial-device keeps room for more."
                    : $"Number {wanted} is out of range; there is no room for a named port: max_ports of virtio-serial-device keeps some.");
            }

            if (_ports.Find(port => port.Port.Number == wanted) is { } other)
            {
                throw new UserErrorException("DuplicatePort", $"Number {wanted} is that of {Describe(other)}; {frees}.");
            }
        }

        if (free.Count == 0 || _ports.Count >= ConsoleConfiguration.MaxPorts)
        {
            throw new UserErrorException(
                "TooManyPorts",
                $"No room for another port: there are {_ports.Count}, with room for the numbers 0 to {console.Room - 1}, of which 0 is a terminal's. device_del makes room; max_ports of virtio-serial-device (at most {ConsoleConfiguration.MaxNumber + 1}) keeps more from the start.");
        }

        return (int)(request.Number ?? free[0]);
    }

    private sealed record OpenChardev(SerialConfiguration Configuration, CharLink Link)
    {
        public void Close()
        {
            Link.Flush(FlushLimit);
            Link.Close();
        }
    }

    private sealed record PluggedPort(string Id, VirtioPort Port, OpenChardev Chardev);
}
