using Strato.Protocol.Configuration;

namespace Strato.Engine.Block;

/// <summary>A request at which the host failed, and what was done about it.</summary>
/// <param name="Id">The user's name of the disk.</param>
/// <param name="Writes">Whether it would have changed the disk.</param>
/// <param name="Error">errno.</param>
/// <param name="Action">Report, Ignore or Stop.</param>
internal readonly record struct BlockFailure(string Id, bool Writes, int Error, DriveErrorAction Action);
