"""The names that Salesforce, HubSpot and Gainsight give to our columns, by table; API names and labels of reports."""

from __future__ import annotations

import re
import unicodedata

ALIASES: dict[str, dict[str, tuple[str, ...]]] = {
    "accounts": {
        "account_id": (
            *("Id", "Account ID", "Account ID (18)", "AccountId", "hs_object_id", "Record ID", "SfdcAccountId"),
            *("18 Digit Account ID", "Account: Account ID"),
        ),
        "name": ("Name", "Account Name", "Company name", "Account: Account Name"),
        "owner": (
            *("OwnerId", "Account Owner", "Owner", "account_owner", "hubspot_owner_id", "Current_Rep", "sales_rep"),
            *("Company owner", "Owner ID", "Account Owner: Full Name"),
        ),
        "csm": ("CSM__c", "CSM", "csm_name", "csm_owner", "customer_success_manager"),
        "arr": ("ARR__c", "ARR", "arr_amount", "current_arr", "AnnualRevenue", "annualrevenue", "Annual Revenue"),
        "tier": ("Tier__c", "Account Tier", "Segment__c"),
        "region": ("Region__c", "Sales Region"),
        "parent_id": (
            "ParentId",
            "ultimate_parent_id",
            "hs_parent_company_id",
            "Parent Account ID",
            "Parent Company ID",
        ),
        "lock": ("Lock", "Locked", "exclude_from_reassignment", "Do Not Move"),
        "renewal_date": ("Renewal_Date__c", "RenewalDate", "Next Renewal Date"),
        "health": ("Health_Score__c", "Health Score", "CurrScore"),
        "owner_since": ("hubspot_owner_assigneddate", "Owner Assigned Date"),
        "last_touch": ("LastActivityDate", "Last Activity", "Last Activity Date"),
        "currency": ("CurrencyIsoCode", "Account Currency", "ARR Currency"),
    },
    "ams": {
        "am_id": ("Id", "User ID", "UserId", "User ID (18)", "Owner ID", "hubspot_owner_id"),
        "name": ("Name", "Full Name", "User: Full Name", "Owner Name"),
        "email": ("Email", "E-mail", "User Email", "Email Address"),
        "status": ("IsActive", "Active"),
        "manager": ("ManagerId", "Manager: Full Name"),
        "starts_on": ("Start Date",),
        "leaves_on": ("End Date",),
    },
    "csms": {"csm_id": ("Id", "User ID", "UserId", "User ID (18)"), "name": ("Name", "Full Name")},
    "pods": {"am_id": ("AM",), "csm_id": ("CSM",), "pod_id": ("Pod",)},
    "touches": {"account_id": ("AccountId", "Account ID", "WhatId"), "date": ("ActivityDate",), "am_id": ("OwnerId",)},
    "opportunities": {
        "account_id": ("AccountId", "Account ID"),
        "stage": ("StageName",),
        "amount": ("Amount",),
        "close_date": ("CloseDate", "Close Date"),
    },
    "history": {
        "account_id": ("AccountId", "Account ID"),
        "from": ("OldValue",),
        "to": ("NewValue",),
        "date": ("CreatedDate",),
    },
}

WEAK: dict[str, dict[str, tuple[str, ...]]] = {"accounts": {"account_id": ("Gsid",)}, "csms": {"name": ("Email",)}}
"""Names that count only where a file has no better one: Gainsight's own id beside that of the CRM."""

FLAG_OF_STATUS = ("isactive", "active")
"""Headers, normalised, of a yes or no that is read as the status active or inactive."""

ANNUAL_REVENUE = "annualrevenue"
"""The header, normalised, that most CRMs fill with what the customer earns, not with what it pays."""


def normalised(header: str) -> str:
    """A header without case, spaces, underscores and signs, and without what CRMs add: `ARR__c` is `arr`."""
    text = unicodedata.normalize("NFKC", header).casefold().strip().removesuffix("__c").removeprefix("property_")
    return re.sub(r"[\W_]+", "", text)
