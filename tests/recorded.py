"""The incidents that a stack's app has recorded: its host takes every message of the queue."""

from typing import Any

from azure.data.tables.aio import TableServiceClient

from infra.local.stack import Stack


async def recorded(stack: Stack) -> list[dict[str, Any]]:
    """Each occurrence of an incident, in the words of its record.

    `at` is the time of the event, `message` the id.
    """
    string = stack.info["connection_strings"]["storage"]
    async with TableServiceClient.from_connection_string(string) as tables:
        await tables.create_table_if_not_exists("incidents")
        table = tables.get_table_client("incidents")
        rows = [dict(row) async for row in table.query_entities("PartitionKey eq '_records'")]
    records = {
        row["RowKey"].partition("|")[2]: {"tenant": None} | row
        for row in rows
        if row["RowKey"].startswith("incident|")
    }
    # A message that cleared an incident has a row without a time.
    occurrences = [row for row in rows if row["RowKey"].startswith("occurrence|") and "at" in row]
    return [
        records[row["incident"]] | {"at": row["at"], "message": row["RowKey"].partition("|")[2]}
        for row in sorted(occurrences, key=lambda row: str(row["at"]))
        if row["incident"] in records
    ]
