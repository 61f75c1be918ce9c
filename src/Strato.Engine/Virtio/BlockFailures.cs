using System;
using Strato.Engine.Block;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Virtio;

/// <summary>What is done when the host fails at a disk's request (<c>werror</c>, <c>rerror</c>). Under the device's gate.</summary>
internal sealed class BlockFailures(string id, DiskImage image, BlockOptions options)
{
    private readonly RateLimit _log = new();

    /// <summary>Told of each failure that stops the machine, and of others as far as they aren't too many.</summary>
    public Action<BlockFailure> Happened { get; set; } = _ => { };

    /// <summary>Logs and tells, and says what to do: Report, Ignore or Stop.</summary>
    public DriveErrorAction Decide(DiskRequest request)
    {
        bool writes = request.Operation != DiskOperation.Read;
        DriveErrorAction action = writes ? options.WriteError : options.ReadError;
        if (action == DriveErrorAction.Enospc)
        {
            action = request.Error == Errno.ENOSPC ? DriveErrorAction.Stop : DriveErrorAction.Report;
        }

        bool told = _log.Allow(out int suppressed);
        if (told)
        {
            string tail = suppressed > 0 ? $" ({suppressed} messages of this source left out before)" : "";
            Log.Warning("virtio-blk", $"{id}: {request.Operation} of '{image.Path}' at byte {request.Offset} failed: {Errno.Text(request.Error)}{tail}");
        }

        if (told || action == DriveErrorAction.Stop)
        {
            Happened(new BlockFailure(id, writes, request.Error, action));
        }

        return action;
    }
}
