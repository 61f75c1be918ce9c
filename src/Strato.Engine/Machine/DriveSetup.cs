using Strato.Engine.Block;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Machine;

/// <summary>What a drive's configuration means to its image and to its device.</summary>
internal static class DriveSetup
{
    /// <summary>Opens the drive's image.</summary>
    /// <exception cref="UserErrorException">It can't be opened as wished.</exception>
    public static DiskImage Open(DriveConfiguration drive) =>
        DiskOpener.Open(new DriveOptions(drive.Id, drive.File, drive.ReadOnly, Where: drive.WhereIs("file", "path_on_host"))
        {
            Direct = drive.IsDirect,
            Aio = drive.Aio,
            Snapshot = drive.Snapshot,
            ChangesPath = drive.SnapshotFile,
            AioWhere = drive.WhereIs("aio", "aio"),
        });

    /// <summary>For a drive whose file is another's of the machine, and one of them writes.</summary>
    public static UserErrorException InUse(DriveConfiguration drive, string own, UserErrorException? cause = null) => new(
        "DriveInUse",
        $"Drive '{drive.Id}': '{FileSets.NameOf(drive.File)}' is the file of this machine's drive '{own}'; a file is open once for writing, or several times read-only.",
        drive.WhereIs("file", "path_on_host"),
        cause);

    /// <summary>Gives a drive what its device was asked for.</summary>
    public static void Apply(this DriveConfiguration drive, DeviceRequest request)
    {
        drive.Serial = request.Serial;
        drive.QueueCount = request.QueueCount ?? 1;
        drive.QueueSize = request.QueueSize ?? DriveConfiguration.DefaultQueueSize;
        drive.WriteError = request.WriteError;
        drive.ReadError = request.ReadError;
        if (!request.WriteCache)
        {
            drive.Cache = drive.IsDirect ? DriveCache.DirectSync : DriveCache.Writethrough;
        }
        else if (drive.IsWriteThrough)
        {
            drive.Cache = drive.IsDirect ? DriveCache.None : DriveCache.Writeback;
        }
    }

    public static BlockOptions OptionsOf(DriveConfiguration drive) => new()
    {
        Serial = drive.Serial,
        QueueCount = drive.QueueCount,
        QueueSize = drive.QueueSize,
        WriteThrough = drive.IsWriteThrough,
        IgnoreFlush = drive.Cache == DriveCache.Unsafe,
        Discard = drive.Discard == DriveDiscard.Unmap,
        DetectZeroes = drive.DetectZeroes,
        Iops = drive.Iops,
        WriteError = drive.WriteError,
        ReadError = drive.ReadError,
    };
}
