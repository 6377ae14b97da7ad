using System.Collections.Generic;
using ScoutFs.Testing;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Tests.Planting;

/// <content>I1 to I9: super and quorum blocks.</content>
internal static partial class DefectCatalogue
{
    private const string NoOther = "volcheck.py does not look at this";

    private static IEnumerable<PlantedDefect> Supers =>
    [
        Error("I1", "checksum", "metadata device", v => Damage(v.Meta, 16, 0)),
        Error("I1", "checksum", "data device", v => Damage(v.Data, 16, 0)),
        Error("I1", "magic", "metadata device", v => v.EditSuper((ref SuperBlock s) => s.Header.Magic = 0x12345678)),
        Error("I1", "magic", "data device", v => v.EditDataSuper((ref SuperBlock s) => s.Header.Magic = 0x12345678)),
        Error("I1", "blkno", "metadata device", v => v.EditSuper((ref SuperBlock s) => s.Header.Blkno = 17)),
        Error("I1", "blkno", "data device", v => v.EditDataSuper((ref SuperBlock s) => s.Header.Blkno = 17)),
        Error("I1", "version", "metadata device", v => v.EditSuper((ref SuperBlock s) => s.FormatVersion = 3)),
        Error("I1", "version", "data device", v => v.EditDataSuper((ref SuperBlock s) => s.FormatVersion = 0)),
        Warning("I1", "bytes past 1488", "metadata device", v => VolumeEditor.EditSmall(v.Meta, 16, b => b[1488] = 1)),
        Warning("I1", "bytes past 1488", "data device", v => VolumeEditor.EditSmall(v.Data, 16, b => b[4095] = 1))
            .ButReference(NoOther),
        Error("I2", "flag of the metadata device", v => v.EditSuper((ref SuperBlock s) => s.Flags = 0)),
        Error("I2", "flag of the data device", v => v.EditDataSuper((ref SuperBlock s) => s.Flags = 1)),
        Error("I3", "uuid", v => v.EditDataSuper((ref SuperBlock s) => s.Uuid[3] ^= 1)),
        Error("I3", "fsid", v => v.EditDataSuper((ref SuperBlock s) => s.Header.Fsid = s.Header.Fsid + 1)),
        Error("I3", "version", v => v.EditDataSuper((ref SuperBlock s) => s.FormatVersion = 1)),
        Error("I4", "metadata device", v => v.Truncate(3000L * 65536, -1))
            .With("I44", "the last free extent ends behind what is left of the device"),
        Error("I4", "data device", v => v.Truncate(-1, (1500000L * 4096) + 4096)),
        Error("I4", "sizes in the data device's copy", v => v.EditDataSuper((ref SuperBlock s) =>
            s.TotalDataBlocks = s.TotalDataBlocks + 100))
            .ButReference(NoOther),
        Error("I6", "at least one slot", v => v.EditSuper((ref SuperBlock s) =>
        {
            for (int slot = 0; slot < FormatConstants.QuorumSlots; slot++)
                s.QuorumConfig.Slots[slot] = default;
        })),
        Error("I6", "family", "reserved", v => v.EditSuper((ref SuperBlock s) =>
            s.QuorumConfig.Slots[1].Family = InetAddress.FamilyIPv6)),
        Error("I6", "family", "unknown", v => v.EditSuper((ref SuperBlock s) => s.QuorumConfig.Slots[4].Family = 9)),
        Error("I6", "distinct addresses", v => v.EditSuper((ref SuperBlock s) => s.QuorumConfig.Slots[4].Port = 12345)),
        Either("I6", "unused slot", v => v.EditSuper((ref SuperBlock s) => s.QuorumConfig.Slots[3].Port = 1)),
        Error("I7", "unknown option", v => v.EditSuper((ref SuperBlock s) =>
            s.VolumeOptions.SetBits = s.VolumeOptions.SetBits | 2)),
        Error("I7", "value of a clear option", "unknown", v => v.EditSuper((ref SuperBlock s) =>
            s.VolumeOptions.Values[63] = 1)),
        Either("I7", "value of a clear option", "known", v => v.EditSuper((ref SuperBlock s) =>
            s.VolumeOptions.SetBits = 0)),
        Error("I8", "checksum", "configured slot", v => Damage(v.Meta, 18, 0)),
        Error("I8", "checksum", "unconfigured slot", v => Damage(v.Meta, 27, 2)),
        Error("I8", "magic", v => v.EditQuorum(1, (ref QuorumBlock q) => q.Header.Magic = (uint)BlockMagic.Super)),
        Error("I8", "blkno", v => v.EditQuorum(1, (ref QuorumBlock q) => q.Header.Blkno = 17)),
        Error("I8", "fsid", v => v.EditQuorum(4, (ref QuorumBlock q) => q.Header.Fsid = q.Header.Fsid + 1)),
        Error("I8", "magic", "never written", v => VolumeEditor.EditSmall(
            v.Meta, 30, block => System.Array.Clear(block), isChecksumRenewed: false)),
        Error("I9", "greatest event", v => v.EditQuorum(1, (ref QuorumBlock q) => q.WriteNr = 7)),
        Error("I9", "event after the block", v => v.EditQuorum(0, (ref QuorumBlock q) =>
            q.Events[(int)QuorumEventKind.Stop].WriteNr = 11)),
        Error("I9", "event after the block", "no writes", v => v.EditQuorum(4, (ref QuorumBlock q) =>
            q.Events[(int)QuorumEventKind.End].WriteNr = 1)),
    ];

    /// <summary>Flips a bit of a small block and leaves its checksum.</summary>
    private static void Damage(VolumeEditorDevice device, ulong blkno, int offset) =>
        VolumeEditor.EditSmall(device, blkno, block => block[offset] ^= 1, isChecksumRenewed: false);
}
