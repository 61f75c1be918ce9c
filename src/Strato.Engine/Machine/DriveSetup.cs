using Strato.Engine.Block;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Machine;

/// <summary>What a drive's configuration means to its image and to its device.</summary>
internal static class DriveSetup
{
    /// <summary>Opens the drive's image.</summary>
    /// <exception cref="Strato.Protocol.UserErrorException">It can't be opened as wished.</exception>
    public static DiskImage Open(DriveConfiguration drive) =>
        DiskOpener.Open(new DriveOptions(drive.Id, drive.File, drive.ReadOnly, Where: drive.WhereIs("file", "path_on_host"))
        {
            Direct = drive.IsDirect,
            Aio = drive.Aio,
            Snapshot = drive.Snapshot,
            AioWhere = drive.WhereIs("aio", "aio"),
        });

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
