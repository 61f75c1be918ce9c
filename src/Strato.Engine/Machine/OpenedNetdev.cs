using System;
using Strato.Engine.Linux;
using Strato.Engine.Net;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Machine;

/// <summary>The host's side of a network interface, open, that a device can be made of.</summary>
internal sealed class OpenedNetdev : IDisposable
{
    private readonly INetBackend[] _backends;
    private readonly IVhostNet[] _vhosts;

    private OpenedNetdev(NetdevConfiguration configuration, INetBackend[] backends, IVhostNet[] vhosts)
    {
        Configuration = configuration;
        _backends = backends;
        _vhosts = vhosts;
    }

    public NetdevConfiguration Configuration { get; }

    /// <summary>Queue pairs.</summary>
    public int Pairs => _backends.Length;

    /// <summary>What the device offers, beside the features of all devices.</summary>
    public ulong Offer => NetInterface.Offer(_backends) & ~Missing;

    private ulong Missing => _vhosts.Length > 0 ? VhostNetDevice.MissingOf(_vhosts[0]) : 0;

    /// <param name="netdev">Checked. Descriptors that were passed are owned from now on, and closed on failure.</param>
    /// <param name="id">The user's name of the device, for errors.</param>
    /// <exception cref="Strato.Protocol.UserErrorException">It can't be opened.</exception>
    public static OpenedNetdev Open(NetdevConfiguration netdev, string id)
    {
        INetBackend[] backends;
        try
        {
            backends = OpenBackends(netdev, id);
        }
        catch
        {
            VhostOpener.CloseFrom(netdev, 0);
            throw;
        }

        try
        {
            return new OpenedNetdev(netdev, backends, netdev.Vhost ? VhostOpener.OpenNet(netdev, id, backends.Length) : []);
        }
        catch
        {
            Array.ForEach(backends, backend => backend.Dispose());
            throw;
        }
    }

    /// <summary>Makes the device, which owns what is open from now on.</summary>
    public NetInterface CreateDevice(string id, ReadOnlySpan<byte> mac) =>
        _vhosts.Length > 0 ? new VhostNetDevice(id, _backends, _vhosts, mac) : new NetDevice(id, _backends, mac);

    public void Dispose()
    {
        Array.ForEach(_backends, backend => backend.Dispose());
        Array.ForEach(_vhosts, vhost => vhost.Dispose());
    }

    private static INetBackend[] OpenBackends(NetdevConfiguration netdev, string id) => netdev switch
    {
        { Kind: NetdevKind.User } => [Passt.Start(netdev.Forwards, Environment.GetEnvironmentVariable("PATH"), id, netdev.Where)],
        { Kind: NetdevKind.Stream, SocketPath: { } path } => [StreamOpener.Open(path, id, netdev.Where)],
        { Kind: NetdevKind.Stream } => [StreamOpener.Take((int)netdev.Descriptors[0], id, netdev.Where)],
        _ => TapOpener.Open(netdev, id),
    };
}
