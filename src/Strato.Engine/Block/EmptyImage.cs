using Strato.Engine.Linux;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Block;

/// <summary>No disk, where one can be plugged in: length 0, no file, no thread.</summary>
/// <param name="geometry">As of the disks that fit, but for the length.</param>
/// <param name="readOnly">Whether only such disks fit that the guest can't write.</param>
internal sealed class EmptyImage(in DiskGeometry geometry, bool readOnly)
    : DiskImage(new FileDescriptor(-1), geometry with { Length = 0 }, new DriveOptions("", "", readOnly) { Aio = DriveAio.Off })
{
    /// <summary>What a disk has to be like for a place that was empty from the start.</summary>
    public static readonly DiskGeometry Usual = new(0, DiskGeometry.SectorBytes, DiskOpener.LeastPhysicalBlock);

    public override bool AllowsKernel => false;
}
