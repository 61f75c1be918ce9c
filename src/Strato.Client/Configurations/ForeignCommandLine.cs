using System;
using System.Collections.Generic;
using System.Globalization;
using Strato.Protocol;
using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Client.Configurations;

/// <summary>Reads a command line of StratoVirt, QEMU or strato-engine. What no VM of Strato has is told by option.</summary>
/// <remarks>Values are divided, and their limits checked, by the code that the engine's own options have.</remarks>
internal sealed class ForeignCommandLine
{
    private const string ByStart = "how an engine is started is Start-StratoVm's";
    private const string NotBuilt = "it isn't built";

    private static readonly HashSet<string> WithoutValue = new(StringComparer.Ordinal)
    {
        "-daemonize", "-S", "-no-reboot", "-no-shutdown", "-snapshot", "-mem-prealloc", "-disable-seccomp", "-force", "-usb", "-s", "-no-acpi", "-no-hpet", "-no-fd-bootchk", "-full-screen", "-no-quit",
        "-probe", "-dry-run", "-version", "-help", "-h", "-singlestep", "-preconfig", "-only-migratable", "-xen-attach",
    };

    /// <summary>Options about the engine's process, which a VM's definition doesn't have.</summary>
    private static readonly HashSet<string> OfTheProcess = new(StringComparer.Ordinal)
    {
        "-daemonize", "-pidfile", "-D", "-qmp", "-qmp-pretty", "-api-channel", "-monitor", "-mon", "-ready-fd", "-sandbox", "-disable-seccomp", "-add-fd", "-runas", "-chroot", "-run-with", "-force", "-d", "-trace", "-msg",
    };

    private readonly ForeignVm _vm;
    private readonly List<(string Text, int Line)> _words;
    private readonly ForeignDevices _devices;
    private int _line;

    private ForeignCommandLine(List<(string Text, int Line)> words, ForeignVm vm)
    {
        _words = words;
        _vm = vm;
        _devices = new ForeignDevices(vm);
    }

    /// <param name="text">The command line, with or without the program's name.</param>
    /// <param name="folder">What relative paths are relative to.</param>
    /// <exception cref="StratoException">InvalidCommandLine, or the engine's own id for a value, with the line.</exception>
    internal static VmConfigurationDocument Read(string text, string folder)
    {
        const string Name = "-FromCommandLine";
        ForeignVm vm = new(Name);
        try
        {
            ForeignCommandLine line = new(ShellWords.Split(text), vm);
            line.ReadAll();
            return vm.ToDocument(folder);
        }
        catch (FormatException e)
        {
            throw new StratoException(StratoErrorKind.InvalidArgument, "InvalidCommandLine", $"{Name}, {e.Message}.", e) { Where = Name };
        }
    }

    private void ReadAll()
    {
        int at = _words.Count > 0 && !_words[0].Text.StartsWith('-') ? 1 : 0;
        while (at < _words.Count)
        {
            (string option, _line) = _words[at++];
            option = option.StartsWith("--", StringComparison.Ordinal) ? option[1..] : option;
            if (!option.StartsWith('-'))
            {
                Leave($"'{option}'", "it is no option; a value with spaces is quoted");
                continue;
            }

            if (WithoutValue.Contains(option) || Contains(QemuOptions.SaidAnyway, option))
            {
                Apply(option, "");
                continue;
            }

            // -append of StratoVirt goes on up to the next option.
            string value = at < _words.Count && (!_words[at].Text.StartsWith('-') || option is "-append" or "-name") ? _words[at++].Text : "";
            while (option == "-append" && at < _words.Count && !_words[at].Text.StartsWith('-'))
            {
                value += " " + _words[at++].Text;
            }

            Apply(option, value);
        }

        _line = 0;
        _devices.Finish();
    }

    private void Apply(string option, string value)
    {
        try
        {
            ApplyChecked(option, value);
        }
        catch (UserErrorException e)
        {
            throw new StratoException(
                StratoErrorKind.InvalidArgument, e.Id, string.Create(CultureInfo.InvariantCulture, $"-FromCommandLine, line {_line}, {(e.Where.StartsWith(option, StringComparison.Ordinal) ? e.Where : option)}: {e.Message}"), e)
            {
                Where = option,
            };
        }
    }

    private void ApplyChecked(string option, string value)
    {
        switch (option)
        {
            case "-name":
                ReadName(value);
                break;
            case "-kernel":
                _vm.At("Kernel", _line);
                _vm.Vm = _vm.Vm with { Kernel = value };
                break;
            case "-initrd":
                _vm.At("Initrd", _line);
                _vm.Vm = _vm.Vm with { Initrd = value };
                break;
            case "-append":
                _vm.Vm = _vm.Vm with { CommandLine = value };
                break;
            case "-m":
                SubOptions memory = new(option, value, "size");
                _vm.At("Memory", _line);
                _vm.Vm = _vm.Vm with { Memory = ByteSize.ParseMemory(memory.Require("size"), option) };
                _devices.LeaveRest(memory, "memory isn't plugged in while it runs; a balloon (Add-StratoBalloon) takes some back", _line);
                break;
            case "-smp":
                ReadCpus(new SubOptions(option, value, "cpus"));
                break;
            case "-cpu":
                ReadModel(value);
                break;
            case "-machine" or "-M":
                ReadMachine(new SubOptions("-machine", value, "type"));
                break;
            case "-mem-path":
                _devices.UseHugePages(value, _line);
                break;
            case "-balloon":
                SubOptions balloon = new(option, value);
                _vm.Vm = _vm.Vm with { Balloon = new() { DeflateOnOom = balloon.TakeBoolean("deflate-on-oom") ?? false } };
                _devices.LeaveRest(balloon, NotBuilt, _line);
                break;
            case "-serial":
                if (value is not ("stdio" or "mon:stdio" or "pty"))
                {
                    Leave($"-serial {value}", "the serial port is the VM's console: Enter-StratoConsole, Get-StratoConsole and its log");
                }

                break;
            case "-hda" or "-hdb" or "-hdc" or "-hdd" or "-cdrom":
                _devices.AddPlainDrive(option[1..], value, readOnly: option == "-cdrom", _line);
                break;
            case "-S":
                Leave(option, "Start-StratoVm -Paused starts it so");
                break;
            case "-snapshot":
                _devices.AllSnapshots = true;
                break;
            case "-drive" or "-device" or "-netdev" or "-chardev" or "-object" or "-iothread":
                _devices.Add(option, value, _line);
                break;
            case "-nic" when value != "none":
                _devices.AddNic(value, _line);
                break;
            default:
                LeaveOption(option, value);
                break;
        }
    }

    private void LeaveOption(string option, string value)
    {
        bool anyway = Contains(QemuOptions.SaidAnyway, option) || option is "-help" or "-h" or "-version";
        foreach ((string name, string same) in QemuOptions.ValueSaidAnyway)
        {
            anyway |= name == option && same == value;
        }

        if (anyway)
        {
            return;
        }

        string given = value.Length == 0 ? option : $"{option} {value}";
        string why = OfTheProcess.Contains(option) ? ByStart
            : option == "-config" ? "Import-StratoVmConfiguration reads that file"
            : option == "-mem-prealloc" ? "guests' memory is allocated when it is touched"
            : option is "-no-reboot" or "-no-shutdown" ? "a reboot resets the VM, and one that powers off is stopped"
            : QemuOptions.Advice(option) is { } advice ? $"in strato-engine's words: {advice}"
            : NotBuilt;
        Leave(given, why);
    }

    /// <summary>StratoVirt's name is the whole value, QEMU's has parts.</summary>
    private void ReadName(string value)
    {
        string? name = value;
        if (value.StartsWith("guest=", StringComparison.Ordinal) || value.Contains(",process=", StringComparison.Ordinal) || value.Contains(",debug-threads=", StringComparison.Ordinal))
        {
            SubOptions parts = new("-name", value, "guest");
            name = parts.Take("guest");
            _devices.LeaveRest(parts, "threads bear their names", _line);
        }

        _vm.Vm = _vm.Vm with { Name = name ?? "" };
    }

    private void ReadCpus(SubOptions parts)
    {
        int? cpus = Count(parts, "cpus");
        int? most = Count(parts, "maxcpus");
        int? clusters = Count(parts, "clusters");
        _vm.At("Cpu", _line);
        _vm.WithProcessor(one => one with
        {
            Maximum = most == cpus ? null : most,
            Sockets = Count(parts, "sockets"),
            Dies = Count(parts, "dies") is int dies and not 1 ? dies : null,
            Cores = Count(parts, "cores"),
            Threads = Count(parts, "threads"),
        });
        if (clusters > 1)
        {
            Leave($"-smp clusters={clusters}", "cores aren't in clusters");
        }

        ProcessorDefinition p = _vm.Vm.Processor;
        long all = (long)(p.Sockets ?? 1) * (p.Dies ?? 1) * (p.Cores ?? 1) * (p.Threads ?? 1);
        _vm.Vm = _vm.Vm with { Cpu = cpus ?? (int)Math.Min(most ?? all, int.MaxValue) };
        _devices.LeaveRest(parts, NotBuilt, _line);
    }

    private void ReadModel(string value)
    {
        string[] parts = value.Split(',');
        if (Contains(CpuModel.Names, parts[0]))
        {
            _vm.WithProcessor(one => one with { Model = parts[0] == CpuModel.HostName ? null : parts[0] });
        }
        else
        {
            Leave($"-cpu {parts[0]}", $"the model is unknown here, and became host; there are {string.Join(", ", CpuModel.Names)}");
        }

        foreach (string part in parts.AsSpan(1))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            bool? on = part.StartsWith('+') ? true : part.StartsWith('-') ? false
                : equals < 0 ? true
                : part[(equals + 1)..] switch
                {
                    "on" or "true" or "yes" => true,
                    "off" or "false" or "no" => false,
                    _ => null,
                };
            if (on is { } wanted)
            {
                _vm.AddFeature((equals < 0 ? part : part[..equals]).TrimStart('+', '-'), wanted, _line);
            }
            else
            {
                Leave($"-cpu {part}", NotBuilt);
            }
        }
    }

    private void ReadMachine(SubOptions parts)
    {
        if (parts.Take("type") is { } type && type != ConfigurationLimits.DefaultMachineType)
        {
            Leave($"-machine {type}", "the machine is a microvm; its guest needs virtio drivers, and no PCI");
        }

        if (parts.Take("accel") is { } accel && !accel.Contains("kvm", StringComparison.Ordinal))
        {
            Leave($"-machine accel={accel}", "the machine runs on KVM");
        }

        // Shared folders bring it where it is needed.
        _ = parts.TakeBoolean("mem-share");
        if (parts.TakeBoolean("hotplug") is false)
        {
            _vm.Vm = _vm.Vm with { NoHotPlug = true };
        }

        if (parts.Take("memory-backend") is { } id)
        {
            _devices.UseMemory(id);
        }

        _devices.LeaveRest(parts, NotBuilt, _line);
    }

    private static int? Count(SubOptions parts, string key) => parts.TakeNumber(key) is { } number ? (int)Math.Clamp(number, int.MinValue, int.MaxValue) : null;

    private static bool Contains(IReadOnlyList<string> list, string text)
    {
        foreach (string one in list)
        {
            if (one == text)
            {
                return true;
            }
        }

        return false;
    }

    private void Leave(string what, string why) => _vm.Leave(what, why, _line);
}
