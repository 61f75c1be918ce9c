using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using Strato.Client.Disks;
using Strato.Client.Snapshots;
using Strato.Client.Store;

namespace Strato.Client;

/// <summary>How to copy a VM.</summary>
public sealed record CopyOptions
{
    /// <summary>Give the copy the MAC addresses that the VM's adapters were given; else they follow from the copy's name.</summary>
    public bool KeepMacAddress { get; init; }

    /// <summary>Copy the files of the disks that the guest can write to; else both VMs have the same.</summary>
    public bool CopyDisk { get; init; }

    /// <summary>Absolute path of the folder for the copied files; null for that of each disk.</summary>
    public string? DiskDirectory { get; init; }

    /// <summary>Told of the path of a disk that is being copied, bytes done, and all its bytes.</summary>
    public Action<string, long, long>? Progress { get; init; }
}

/// <summary>A VM that was copied.</summary>
/// <param name="Vm">The new one.</param>
/// <param name="Warnings">What both share, one sentence each.</param>
public sealed record CopyResult(VmDefinition Vm, IReadOnlyList<string> Warnings);

public sealed partial class StratoClient
{
    /// <summary>Makes a VM with another's definition.</summary>
    /// <remarks>
    /// What has to be unique is the copy's own: name, id, MAC addresses, the vsock's address (the first that is free), sockets of console ports. Errors: <c>VmNotFound</c>,
    /// <c>InvalidName</c>, <c>VmExists</c>; with CopyDisk <c>VmRunning</c>, <c>DriveInUse</c>, <c>DriveNotFile</c>, <c>DriveFileNotFound</c>, <c>FileExists</c>,
    /// <c>DirectoryNotFound</c>, <c>DiskNotWritable</c>, <c>DiskCopyFailed</c>. A copy that fails or is cancelled leaves nothing.
    /// </remarks>
    public CopyResult Copy(string id, string newName, CopyOptions? options = null, CancellationToken token = default)
    {
        options ??= new CopyOptions();
        VmDefinition source = Store.GetById(id);
        CheckCopy(source, newName, options);
        List<string> warnings = [];
        List<NewFile> made = [];
        try
        {
            VmDefinition copy = source with
            {
                Name = newName,
                Drives = CopyDrives(source, newName, options, made, warnings, token),
                NetworkAdapters = options.KeepMacAddress ? source.NetworkAdapters : [.. Converted(source.NetworkAdapters, adapter => adapter with { Settings = adapter.Settings with { MacAddress = null } })],
                ConsolePorts = [.. Converted(source.ConsolePorts, port => CopyPort(source, port, warnings))],
            };
            return new CopyResult(Store.Add(copy, token, vm => vm.Vsock is null ? vm : vm with { Vsock = vm.Vsock with { GuestCid = FreeCid() } }, directory => KeepAll(directory, made)), warnings);
        }
        finally
        {
            made.ForEach(file => file.Dispose());
        }
    }

    /// <summary>Refuses what <see cref="Copy"/> would refuse before it copies, without making anything (for -WhatIf).</summary>
    public void CheckCopy(VmDefinition source, string newName, CopyOptions options)
    {
        VmRules.CheckName(newName);
        RefuseTaken(newName);
        if (!options.CopyDisk)
        {
            return;
        }

        if (options.DiskDirectory is { } folder && !Directory.Exists(folder))
        {
            throw new StratoException(StratoErrorKind.NotFound, "DirectoryNotFound", $"The folder '{folder}' does not exist.") { Where = "-DiskDirectory" };
        }

        foreach (DriveDefinition drive in source.Drives)
        {
            if (IsWritten(drive))
            {
                RefuseRunning(source, "A disk that its guest writes to");
                string path = CopyPath(drive, newName, options);
                if (File.Exists(path))
                {
                    // Perhaps it is what a shell has left that died.
                    Store.Sweep(CancellationToken.None);
                }

                NewFile.RefuseExisting(path);
                DiskCopy.Open(drive.Path, out _).Dispose();
            }
        }
    }

    private static List<DriveDefinition> CopyDrives(VmDefinition source, string newName, CopyOptions options, List<NewFile> made, List<string> warnings, CancellationToken token)
    {
        List<DriveDefinition> drives = [];
        foreach (DriveDefinition drive in source.Drives)
        {
            if (!IsWritten(drive) || !options.CopyDisk)
            {
                if (IsWritten(drive))
                {
                    warnings.Add($"The VMs '{source.Name}' and '{newName}' share the disk '{drive.Path}', which only one of them can have while it runs; -CopyDisk copies it.");
                }

                drives.Add(drive);
                continue;
            }

            string path = CopyPath(drive, newName, options);
            made.Add(DiskCopy.Copy(drive.Path, path, options.Progress is { } progress ? (done, all) => progress(drive.Path, done, all) : null, token));
            drives.Add(drive with { Path = path });
        }

        return drives;
    }

    private static void KeepAll(string directory, List<NewFile> files)
    {
        if (files.Count > 0)
        {
            FileJournal.Keep(directory, files);
        }
    }

    private static ConsolePortDefinition CopyPort(VmDefinition source, ConsolePortDefinition port, List<string> warnings)
    {
        if (port is { Backend: ConsolePortBackend.File, Path: { } path })
        {
            warnings.Add($"The console port '{port.Id}' of the copy writes to the file of that of '{source.Name}', '{path}'; Set-StratoConsolePort -Path gives it another.");
        }

        // A socket in the running VM's own folder: one that another listens on can't be its own.
        return port.Backend == ConsolePortBackend.Socket ? port with { Path = null } : port;
    }

    private static bool IsWritten(DriveDefinition drive) => SnapshotDisks.IsWritten(drive);

    private static string CopyPath(DriveDefinition drive, string newName, CopyOptions options) =>
        Path.Combine(options.DiskDirectory ?? Path.GetDirectoryName(drive.Path)!, $"{newName}-{drive.Id.Replace('/', '_')}{Path.GetExtension(drive.Path)}");

    private static IEnumerable<T> Converted<T>(IEnumerable<T> items, Func<T, T> convert)
    {
        foreach (T item in items)
        {
            yield return convert(item);
        }
    }

    private void RefuseTaken(string name)
    {
        foreach (VmDefinition vm in List().Definitions)
        {
            if (VmStore.SameName(vm.Name, name))
            {
                throw new StratoException(StratoErrorKind.AlreadyExists, "VmExists", $"A VM named '{vm.Name}' exists already.") { VmName = vm.Name };
            }
        }
    }
}
