using System;
using Strato.Engine.Chardev;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Machine;

/// <summary>Makes a shared folder's device: by the program that serves it, which is started or connected to.</summary>
internal static class FsOpener
{
    /// <param name="fs">Checked.</param>
    /// <param name="loop">The main loop, for what the program has to tell.</param>
    /// <exception cref="Strato.Protocol.UserErrorException">It can't be started, or can't be connected to.</exception>
    public static FsDevice Open(FsConfiguration fs, EventLoop loop)
    {
        string label = fs.Label;
        VhostUserSocket served = fs.Source is { } folder
            ? Virtiofsd.Start(folder, VirtioFeature.Common, Virtiofsd.SearchPath(Environment.GetEnvironmentVariable("PATH")), loop, label, fs.WhereIs("source", "source"))
            : VhostUserOpener.Open(fs.Socket!, VirtioFeature.Common, VhostUserOpener.Patience, label, fs.WhereIs("chardev", "chardev"));
        return new FsDevice(label, fs.Tag, served);
    }
}
