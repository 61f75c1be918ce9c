using System;
using Strato.Engine.Linux;
using Strato.Engine.Snapshot;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Qmp;

/// <summary>Snapshots, by QEMU's and StratoVirt's commands of migration.</summary>
internal static class MigrationCommands
{
    private const string FolderPrefix = "file:";
    private const string FilesPrefix = "fd:";

    /// <summary>Begins; query-migrate, and the event MIGRATION, tell how it goes.</summary>
    public static void Migrate(QmpCall call)
    {
        if (call.Migration.IsActive)
        {
            throw new QmpException(SnapshotFailure.Busy + "; query-migrate tells how far it is, and migrate_cancel ends it");
        }

        call.Migration.CheckPossible();
        string uri = call.Arguments.Require("uri");
        bool staysPaused = call.Arguments.Boolean("stay-paused") == true;

        // What holds the machine goes with its connection: nobody else knows what it is held for.
        bool holds = call.Arguments.Boolean("hold") == true;
        if (uri.StartsWith(FolderPrefix, StringComparison.Ordinal))
        {
            string folder = uri[FolderPrefix.Length..];
            ConfigurationLimits.CheckPath(folder, "snapshot's folder", "uri");
            FileSets.CheckPaths(folder, "pass two files by getfd, and give 'uri' as fd:STATE,MEMORY with their names");
            call.Migration.Begin(SnapshotFolder.Open(folder), staysPaused, holds ? call.Files : null, holds);
            return;
        }

        string[] names = uri.StartsWith(FilesPrefix, StringComparison.Ordinal) ? uri[FilesPrefix.Length..].Split(',') : [];
        if (names.Length != 2)
        {
            throw new QmpException(
                $"Parameter 'uri' is '{ConfigurationLimits.Printable(uri)}'; allowed: file:FOLDER, fd:STATE,MEMORY (names of getfd)");
        }

        (int state, int memory) = (call.Files.Find(names[0]), call.Files.Find(names[1]));
        Check(state, names[0]);
        Check(memory, names[1]);
        if (names[0] == names[1])
        {
            throw new QmpException($"Parameter 'uri' names '{ConfigurationLimits.Printable(names[0])}' twice; state and memory are two files");
        }

        call.Files.Give(names[0]);
        call.Files.Give(names[1]);
        call.Migration.Begin(new PassedSnapshot(new FileDescriptor(state), new FileDescriptor(memory), names[0], names[1]), staysPaused, call.Files, holds);
    }

    /// <remarks>One that is over tells its status alone, as StratoVirt's documents print it.</remarks>
    public static void Query(QmpCall call)
    {
        Migration migration = call.Migration;
        call.Result.WriteStartObject();
        if (migration.Error is { } error)
        {
            call.Result.WriteString("error-desc", error);
        }

        if (migration.IsActive)
        {
            (long total, long done, long written) = migration.Progress;
            call.Result.WriteStartObject("ram");
            call.Result.WriteNumber("remaining", total - done);
            call.Result.WriteNumber("total", total);
            call.Result.WriteNumber("transferred", written);
            call.Result.WriteEndObject();
        }

        call.Result.WriteString("status", Migration.NameOf(migration.State));
        call.Result.WriteEndObject();
    }

    /// <remarks>QEMU's, of a migration that waits before the switch-over.</remarks>
    public static void Continue(QmpCall call)
    {
        string state = call.Arguments.Require("state");
        string held = Migration.NameOf(MigrationState.PreSwitchover);
        if (state != held)
        {
            throw new QmpException($"Parameter 'state' is '{ConfigurationLimits.Printable(state)}'; allowed: {held}");
        }

        if (!call.Migration.Continue())
        {
            throw new QmpException($"The migration isn't in the expected state: it is {Migration.NameOf(call.Migration.State)}");
        }
    }

    /// <remarks>QEMU's does nothing, without an error, where there is nothing to end.</remarks>
    public static void Cancel(QmpCall call) => _ = call.Migration.Cancel();

    private static void Check(int fd, string name)
    {
        if (Libc.Stat(fd, out Libc.statx_t status) < 0 || (status.stx_mode & Libc.S_IFMT) != Libc.S_IFREG
            || (Libc.fcntl(fd, Libc.F_GETFL, 0) & Libc.O_ACCMODE) != Libc.O_RDWR)
        {
            throw new QmpException($"'{ConfigurationLimits.Printable(name)}' is no regular file that is open for reading and writing, which a snapshot needs");
        }
    }
}
