using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Threading;
using Strato.Client.Images;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Client.Store;

namespace Strato.Client;

/// <summary>One command in a VM that is there for it alone.</summary>
public sealed record VmCommand
{
    /// <summary>Absolute path of a folder or archive; null where <see cref="Made"/> is given.</summary>
    public string? Image { get; init; }

    /// <summary>Absolute path of the folder of an image that was made; null where <see cref="Image"/> is given.</summary>
    public string? Made { get; init; }

    /// <summary>Line for the image's shell; null for <see cref="Program"/>, or what the image names.</summary>
    public string? Line { get; init; }

    /// <summary>Program and arguments, run without a shell; empty for <see cref="Line"/>, or what the image names.</summary>
    public IReadOnlyList<string> Program { get; init; } = [];

    /// <summary>Variables beside the image's.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Folder in the image; null for the image's own.</summary>
    public string? WorkingDirectory { get; init; }

    /// <summary>Bytes.</summary>
    public long? Memory { get; init; }

    public int? Cpu { get; init; }

    /// <summary>Whether the guest has user networking.</summary>
    public bool Network { get; init; }

    /// <summary>Ports of the host that lead to the guest, as <see cref="NetworkAdapterSettings.PortForward"/> has them.</summary>
    public IReadOnlyList<string> Ports { get; init; } = [];

    /// <summary>Absolute path of a kernel, and of its modules, as of <see cref="GuestImageSettings"/>.</summary>
    public string? Kernel { get; init; }

    /// <summary>As of <see cref="GuestImageSettings.ModulePath"/>.</summary>
    public string? ModulePath { get; init; }

    /// <summary>From the start of the VM to the end of the command; null is for ever.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Run even where KVM only emulates.</summary>
    public bool Force { get; init; }

    /// <summary>Told of each step.</summary>
    public Action<string>? Progress { get; init; }
}

/// <summary>How a command ended in a VM that was there for it.</summary>
/// <param name="Vm">The VM, which is gone.</param>
/// <param name="Outcome">What came of the command.</param>
public sealed record VmCommandOutcome(VmDefinition Vm, GuestCommandOutcome Outcome);

public sealed partial class StratoClient
{
    private const int ConsoleLines = 8;

    /// <summary>Makes a VM of an image, runs one command in it, and removes it, however that ends.</summary>
    /// <remarks>
    /// Errors: <c>CommandTimeout</c>, <c>CommandLost</c> (the guest ended before the command, with the console's last lines), <c>CommandMissing</c> (neither the user nor the image
    /// names one), those of <see cref="CreateImage"/>, and of <see cref="Start"/>.
    /// </remarks>
    public VmCommandOutcome Invoke(VmCommand command, CancellationToken token = default)
    {
        using Maker maker = new();
        VmDefinition vm;
        string script;
        if (command.Made is { } folder)
        {
            GuestImageInfo image = ImageFiles.Load(folder) ?? throw new StratoException(StratoErrorKind.NotFound, "ImageNotFound", $"The folder '{folder}' has no image that New-StratoGuestImage made: {string.Join(", ", ImageFiles.All)}.") { Where = "-Image" };
            (vm, script) = Define(image);
        }
        else
        {
            GuestImageSettings source = new() { Path = command.Image, Destination = ImageCache, Kernel = command.Kernel, ModulePath = command.ModulePath, Progress = command.Progress };
            (vm, script) = UseCachedImage(source, Define, token);
        }

        try
        {
            command.Progress?.Invoke("Starting the VM");
            Deadline deadline = Deadline.After(command.Timeout);
            StartOptions start = new() { Force = command.Force, NoReboot = true };
            Start(vm.Id, command.Timeout is { } limit && limit < start.Timeout ? start with { Timeout = limit } : start, token);
            using EngineProcess process = Registry.TryOpen(vm.Id) ?? throw new StratoException(StratoErrorKind.Ended, "CommandLost", $"The guest of VM '{vm.Name}' ended before the command did.") { VmName = vm.Name };
            command.Progress?.Invoke("Waiting for the command");
            string[] ports = [.. vm.ConsolePorts.Select(port => DeviceArguments.PathOf(port, process.Run.Runtime))];
            return new VmCommandOutcome(vm, new CommandRun(process, vm.Name).Run(ports, script, deadline, token));
        }
        catch (StratoException e) when (e.Id is "CommandLost" or "CommandTimeout" or "CommandProtocol")
        {
            throw WithConsole(e, vm);
        }
        finally
        {
            Discard(vm);
        }

        (VmDefinition Vm, string Script) Define(GuestImageInfo image)
        {
            string text = ScriptOf(command, image.Run);
            return (DefineRun(command, image, maker, token), text);
        }
    }

    /// <summary>The VM in one write: it is there wholly or not at all, and is known to be forsaken when this process dies before it has run.</summary>
    private VmDefinition DefineRun(VmCommand command, GuestImageInfo image, Maker maker, CancellationToken token)
    {
        VmSettings settings = VmRules.Complete(new VmSettings
        {
            Name = $"run-{RandomNumberGenerator.GetString("abcdefghijkmnpqrstuvwxyz23456789", 8)}",
            Kernel = image.Kernel,
            Initrd = image.Initrd,
            CommandLine = $"{GuestImageInfo.CommandLine} quiet strato.invoke",
            Memory = command.Memory,
            Cpu = command.Cpu,
            Ephemeral = true,
            NoHotPlug = true,
        });
        DriveDefinition root = new() { Id = "disk0", Path = image.Root };
        VmRules.CheckDrive(root, imageToo: true);
        NetworkAdapterDefinition network = new() { Id = "net0", Settings = new NetworkAdapterSettings { User = true, PortForward = command.Ports } };
        VmRules.CheckNetworkAdapter(network.Settings, network.Id);
        RngDefinition rng = new();
        DeviceRules.CheckRng(rng);
        return Store.Create(
            settings,
            token,
            vm => vm with
            {
                Drives = [vm.Own(root)],
                ConsolePorts = [.. from port in (string[])[CommandRun.Control, CommandRun.Output, CommandRun.Error] select new ConsolePortDefinition { Id = port }],
                Rng = rng,
                NetworkAdapters = command.Network || command.Ports.Count > 0 ? [network] : [],
            },
            maker.Take);
    }

    private static string ScriptOf(VmCommand command, ImageRun image)
    {
        ImageRun run = command.WorkingDirectory is null ? image : image with { WorkingDirectory = command.WorkingDirectory };
        if (command.Line is not null)
        {
            return run.ShellScript(command.Line, command.Environment);
        }

        IReadOnlyList<string> program = command.Program.Count > 0 ? command.Program : run.Command;
        return program.Count > 0 ? run.Script(program, command.Environment) : throw new StratoException(
            StratoErrorKind.InvalidArgument, "CommandMissing", "Neither -Command nor -FilePath says what to run, and the image names nothing.")
        {
            Where = "-Command",
        };
    }

    /// <summary>Ends a VM that nobody needs any more, at once, and removes it.</summary>
    private void Discard(VmDefinition vm)
    {
        try
        {
            using (EngineProcess? process = Registry.TryOpen(vm.Id))
            {
                process?.Kill();
                process?.WaitForEnd(Deadline.After(EndLimit), CancellationToken.None);
            }

            if (!TryRemoveEnded(vm, ranForSure: true, RemovalLimit))
            {
                Delete(vm.Id);
            }
        }
        catch (StratoException)
        {
            // The next command that looks for VMs removes it.
        }
    }

    private StratoException WithConsole(StratoException e, VmDefinition vm)
    {
        string[] lines = [];
        try
        {
            lines = [.. File.ReadLines(Paths.ConsoleLog(vm.Id)).Select(static line => line.TrimEnd('\r')).Where(static line => line.Length > 0)];
        }
        catch (Exception unread) when (unread is IOException or UnauthorizedAccessException)
        {
            // The error says what it can without it.
        }

        string said = lines.Length == 0
            ? "Its console says nothing."
            : string.Create(CultureInfo.InvariantCulture, $"Its console says at last: {string.Join(" / ", lines[^Math.Min(ConsoleLines, lines.Length)..].Select(TerminalText.Plain))}");
        return new StratoException(e.Kind, e.Id, $"{e.Message} {said}", e) { VmName = e.VmName };
    }
}
